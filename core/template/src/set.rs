//! Templates that know each other by name.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use crate::ast::Template;
use crate::context::Context;
use crate::error::{ExecError, TemplateError};
use crate::exec::{Env, Exec};
use crate::value::Value;

pub(crate) type Templates = BTreeMap<String, Arc<Template>>;

/// The name of the set in messages, and of texts given to `tpl`.
pub(crate) const ROOT: &str = "gotpl";

/// Named templates in one namespace. Cloning is cheap; sets can be shared between threads.
#[derive(Clone, Debug, Default)]
pub struct TemplateSet {
    templates: Arc<Templates>,
    /// Bytes of all texts: their parsed form is some times as large.
    bytes: usize,
}

/// Bytes of all texts of a set.
const MAX_BYTES: usize = 64 << 20;

impl TemplateSet {
    /// An empty set.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Parses a text and adds it under its name, with what it defines. Later definitions replace earlier ones, unless they are blank.
    ///
    /// # Errors
    /// [`TemplateError::Parse`]; the set is unchanged then.
    pub fn parse(&mut self, name: &str, text: &str) -> Result<(), TemplateError> {
        self.parse_bytes(name, text.as_bytes())
    }

    /// Parses a text as [`TemplateSet::parse`] does, which need not be UTF-8.
    ///
    /// # Errors
    /// As [`TemplateSet::parse`].
    pub fn parse_bytes(&mut self, name: &str, text: &[u8]) -> Result<(), TemplateError> {
        self.bytes = self.bytes.saturating_add(text.len());
        if self.bytes > MAX_BYTES {
            return Err(TemplateError::Parse {
                name: name.to_owned(),
                message: format!(
                    "template: {name}:1: limit size: the templates together have more than {MAX_BYTES} bytes"
                ),
            });
        }
        let parsed = parse(name, text)?;
        add(Arc::make_mut(&mut self.templates), parsed);
        Ok(())
    }

    /// Whether a template is there.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.templates.contains_key(name)
    }

    /// Executes a template. `<no value>` is left in the text: see [`erase_no_value`]. What is not UTF-8 is replaced: see [`text()`].
    ///
    /// # Errors
    /// [`TemplateError::Exec`] with Go's message; limits name themselves and the place.
    pub fn execute(&self, name: &str, data: &Value, context: &mut Context) -> Result<String, TemplateError> {
        self.execute_bytes(name, data, context)
            .map(|bytes| crate::text(&bytes).into_owned())
    }

    /// Executes a template as [`TemplateSet::execute`] does; gives the bytes as they are, since a template may cut a character in two.
    ///
    /// # Errors
    /// As [`TemplateSet::execute`].
    pub fn execute_bytes(&self, name: &str, data: &Value, context: &mut Context) -> Result<Vec<u8>, TemplateError> {
        name.clone_into(&mut context.file);
        context.included.clear();
        let scope = Rc::new(Scope {
            templates: Arc::clone(&self.templates),
            outer: None,
        });
        let mut env = Env { scope, context };
        env.execute_named(name, data.clone()).map_err(TemplateError::Exec)
    }
}

/// Removes what Go prints for absent values, as Helm does with every rendered file and with what `tpl` gives.
#[must_use]
pub fn erase_no_value(text: Vec<u8>) -> Vec<u8> {
    const NO_VALUE: &[u8] = b"<no value>";
    let finder = memchr::memmem::Finder::new(NO_VALUE);
    let Some(first) = finder.find(&text) else {
        return text;
    };
    let (mut out, mut rest, mut next) = (Vec::with_capacity(text.len()), text.as_slice(), Some(first));
    while let Some(at) = next {
        out.extend_from_slice(&rest[..at]);
        rest = &rest[at + NO_VALUE.len()..];
        next = finder.find(rest);
    }
    out.extend_from_slice(rest);
    out
}

/// Parses a text with the functions Helm registers.
pub(crate) fn parse(name: &str, text: &[u8]) -> Result<Templates, TemplateError> {
    crate::parse::parse(name, text, &crate::functions::exists).map_err(|message| TemplateError::Parse {
        name: name.to_owned(),
        message,
    })
}

fn add(templates: &mut Templates, parsed: Templates) {
    for (name, template) in parsed {
        if template.is_empty() && templates.contains_key(&name) {
            continue;
        }
        templates.insert(name, template);
    }
}

/// The templates visible at some point: `tpl` adds its own to those around it.
pub(crate) struct Scope {
    templates: Arc<Templates>,
    outer: Option<Rc<Self>>,
}

impl Scope {
    pub(crate) fn find(&self, name: &str) -> Option<Arc<Template>> {
        let mut scope = self;
        loop {
            if let Some(template) = scope.templates.get(name) {
                return Some(Arc::clone(template));
            }
            scope = scope.outer.as_deref()?;
        }
    }

    /// A scope inside another; blank definitions do not hide what is there.
    pub(crate) fn inside(outer: Rc<Self>, mut parsed: Templates) -> Self {
        parsed.retain(|name, template| !template.is_empty() || outer.find(name).is_none());
        Self {
            templates: Arc::new(parsed),
            outer: Some(outer),
        }
    }
}

impl Env<'_> {
    /// Executes a template by name.
    pub(crate) fn execute_named(&mut self, name: &str, data: Value) -> Result<Vec<u8>, ExecError> {
        match self.scope.find(name) {
            Some(template) => Exec::run(self, &template, data),
            None => {
                let (name, root) = (
                    crate::gofmt::quote(name.as_bytes()),
                    crate::gofmt::quote(ROOT.as_bytes()),
                );
                Err(ExecError::plain(format!(
                    "template: no template {name} associated with template {root}"
                )))
            }
        }
    }
}

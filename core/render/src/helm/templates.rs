//! All templates of all charts, parsed into one set and executed in Helm's order: deepest first, so that a parent's definition wins.

use std::collections::BTreeMap;

use capstan_model::{Digest, SourceLocation};
use capstan_template::{Ambient, Context, Entries, Limits, Map, TemplateError, TemplateSet, Value, erase_no_value};

use super::chart::Chart;
use super::{Prepared, capabilities, objects};
use crate::{RenderCache, RenderError};

/// One template: its text, where it stands, and the context of its chart.
struct Template<'a> {
    text: &'a [u8],
    file: String,
    base: String,
    context: Map,
    is_executed: bool,
}

/// Executes every template. Gives what each renders to by Helm's name of it, partials left out.
pub(super) fn render(prepared: &Prepared<'_>, ambient: Ambient) -> Result<BTreeMap<String, Vec<u8>>, RenderError> {
    let values = Map::named("common.Values", entries(&prepared.values));
    let shared = Shared {
        release: objects::release(prepared),
        capabilities: capabilities::capabilities(&prepared.kube_version, prepared.api_versions),
    };
    let mut templates = BTreeMap::new();
    gather(&prepared.chart, true, &values, &shared, &mut templates);
    let mut order: Vec<&String> = templates.keys().collect();
    order.sort_by_key(|name| std::cmp::Reverse((name.matches('/').count(), (*name).clone())));
    let set = parse(&order, &templates, prepared.cache)?;
    let mut rendered = BTreeMap::new();
    // Dropped last: it takes apart maps that became cyclic.
    let mut context = Context::new(Limits::default(), ambient);
    context.interrupt = prepared.interrupt.clone();
    for name in &order {
        let template = &templates[*name];
        if !template.is_executed {
            continue;
        }
        let about = [("Name", name.as_str()), ("BasePath", template.base.as_str())];
        let about = about.map(|(field, text)| (field.into(), Value::from(text)));
        let about = Map::named("common.Values", Entries::from(about));
        template.context.insert("Template", Value::Map(about));
        let root = Value::Map(template.context.under(Some("common.Values")));
        let bytes = set
            .execute_bytes(name, &root, &mut context)
            .map_err(|error| template_error(&error, name, &templates))?;
        rendered.insert((*name).clone(), erase_no_value(bytes));
    }
    Ok(rendered)
}

/// Parses all templates into one set, or takes the set that the same texts under the same names gave before.
fn parse(
    order: &[&String],
    templates: &BTreeMap<String, Template<'_>>,
    cache: Option<&RenderCache>,
) -> Result<TemplateSet, RenderError> {
    let texts = || order.iter().map(|name| (name.as_str(), templates[*name].text));
    let key = cache.map(|cache| {
        let parts = texts().flat_map(|(name, text)| [name.as_bytes(), text].map(Digest::of_bytes));
        (cache, Digest::of_all(parts))
    });
    if let Some(set) = key.and_then(|(cache, key)| cache.set(&key)) {
        return Ok(set);
    }
    let mut set = TemplateSet::new();
    for (name, text) in texts() {
        set.parse_bytes(name, text)
            .map_err(|error| template_error(&error, name, templates))?;
    }
    if let Some((cache, key)) = key {
        cache.keep_set(
            key,
            set.clone(),
            texts().map(|(name, text)| name.len() + text.len()).sum(),
        );
    }
    Ok(set)
}

struct Shared {
    release: Value,
    capabilities: Value,
}

fn entries(values: &serde_json::Map<String, serde_json::Value>) -> Entries {
    values
        .iter()
        .map(|(name, value)| (name.as_str().into(), objects::value(value)))
        .collect()
}

/// Adds a chart's templates and its subcharts'. Gives the chart's context, which all its templates share: what one of them sets in
/// it, the later ones see.
fn gather<'a>(
    chart: &'a Chart,
    is_root: bool,
    values: &Map,
    shared: &Shared,
    templates: &mut BTreeMap<String, Template<'a>>,
) -> Value {
    let context = Map::from_entries(Entries::from([
        ("Chart".into(), objects::chart(chart, is_root)),
        ("Files".into(), objects::Files::of(chart)),
        ("Release".into(), shared.release.clone()),
        ("Capabilities".into(), shared.capabilities.clone()),
        ("Values".into(), Value::Map(values.clone())),
    ]));
    let subcharts = Map::new();
    context.insert("Subcharts", Value::Map(subcharts.clone()));
    for subchart in &chart.subcharts {
        let own = &subchart.metadata.name;
        let section = values.get(own).and_then(|value| value.as_map()).unwrap_or_default();
        let section = section.under(Some("common.Values"));
        let below = gather(subchart, false, &section, shared, templates);
        subcharts.insert(own.clone(), below);
    }
    let name = &chart.full_name;
    for (path, text) in &chart.templates {
        let base = path.rsplit('/').next().unwrap_or(path);
        let is_partial = base.starts_with('_');
        if chart.metadata.is_library() && !is_partial {
            continue;
        }
        let template = Template {
            text,
            file: chart.file(path),
            base: format!("{name}/templates"),
            context: context.clone(),
            is_executed: !is_partial,
        };
        templates.insert(format!("{name}/{path}"), template);
    }
    Value::Map(context)
}

/// Helm's message, with the file and line in the repository: the innermost template that the message names.
fn template_error(error: &TemplateError, executed: &str, templates: &BTreeMap<String, Template<'_>>) -> RenderError {
    let text = error.to_string();
    let named = templates.iter().filter_map(|(name, template)| {
        let at = text.rfind(&format!("{name}:"))?;
        let digits: String = text[at + name.len() + 1..]
            .chars()
            .take_while(char::is_ascii_digit)
            .collect();
        Some((at, template.file.clone(), digits.parse().ok()?))
    });
    let found = named.max_by_key(|(at, _, _)| *at);
    let (file, line) = match found {
        Some((_, file, line)) => (file, line),
        None => (
            templates
                .get(executed)
                .map_or_else(|| executed.to_owned(), |template| template.file.clone()),
            0,
        ),
    };
    RenderError::Template {
        location: SourceLocation { file, line },
        message: error.helm_message(),
    }
}

//! How long functions are, by the parser and not by counting braces.

use syn::spanned::Spanned;
use syn::visit::Visit;

use crate::tree::SourceFile;

/// Name and length in lines of every function, signature and closing brace included. Functions of test modules count too.
pub(crate) fn lengths(file: &SourceFile) -> Vec<(String, usize)> {
    let parsed = syn::parse_file(&file.text).unwrap_or_else(|error| panic!("{}: {error}", file.path));
    let mut visitor = Visitor::default();
    visitor.visit_file(&parsed);
    visitor.found
}

#[derive(Default)]
struct Visitor {
    found: Vec<(String, usize)>,
    owner: String,
}

impl Visitor {
    fn add(&mut self, signature: &syn::Signature, block: &syn::Block) {
        let lines = block.span().end().line - signature.span().start().line + 1;
        let name = &signature.ident;
        self.found.push((
            if self.owner.is_empty() {
                name.to_string()
            } else {
                format!("{}::{name}", self.owner)
            },
            lines,
        ));
    }
}

impl<'ast> Visit<'ast> for Visitor {
    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.add(&item.sig, &item.block);
        syn::visit::visit_item_fn(self, item);
    }

    fn visit_item_impl(&mut self, item: &'ast syn::ItemImpl) {
        let owner = match &*item.self_ty {
            syn::Type::Path(path) => path
                .path
                .segments
                .last()
                .map(|last| last.ident.to_string())
                .unwrap_or_default(),
            _ => String::new(),
        };
        let outer = std::mem::replace(&mut self.owner, owner);
        syn::visit::visit_item_impl(self, item);
        self.owner = outer;
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.add(&item.sig, &item.block);
        syn::visit::visit_impl_item_fn(self, item);
    }
}

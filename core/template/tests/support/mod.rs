//! The objects Helm gives to a chart's templates, built by hand from a chart given as data.

use std::rc::Rc;
use std::sync::Arc;

use capstan_template::{
    Ambient, Context, Element, Entries, Limits, Map, Object, Record, TemplateError, TemplateSet, Type, Value,
    erase_no_value,
};

/// `.Files` of a chart whose patterns are a folder and `*` or `**`.
pub(crate) struct Files(Entries);

impl Files {
    fn text(&self, name: &str) -> String {
        match self.0.get(name.as_bytes()) {
            Some(Value::Bytes(bytes)) => String::from_utf8_lossy(bytes).into_owned(),
            _ => String::new(),
        }
    }

    fn glob(&self, pattern: &str) -> Self {
        let folder = pattern.trim_end_matches('*');
        Self(
            self.0
                .iter()
                .filter(|(name, _)| name.bytes().starts_with(folder.as_bytes()))
                .map(|(n, v)| (n.clone(), v.clone()))
                .collect(),
        )
    }

    fn yaml(&self, show: impl Fn(&str) -> String) -> Value {
        let entries = self.0.keys().map(|name| {
            let name = name.lossy();
            let base = name.rsplit('/').next().unwrap_or(&name);
            (base.to_owned(), serde_json::Value::String(show(&self.text(&name))))
        });
        let text = capstan_yaml::to_go_yaml(&serde_json::Value::Object(entries.collect()));
        Value::from(text.trim_end_matches('\n'))
    }
}

impl Object for Files {
    fn type_name(&self) -> String {
        "engine.files".to_owned()
    }

    fn method(&self, name: &str) -> Option<&[Type]> {
        match name {
            "Get" | "GetBytes" | "Glob" | "Lines" => Some(&[Type::Str]),
            "AsConfig" | "AsSecrets" => Some(&[]),
            _ => None,
        }
    }

    fn call(&self, name: &str, arguments: &[Value]) -> Result<Value, String> {
        use base64::Engine;
        let first = match arguments.first() {
            Some(Value::Str(text)) => text.lossy().into_owned(),
            _ => String::new(),
        };
        Ok(match name {
            "Get" => Value::from(self.text(&first)),
            "GetBytes" => self
                .0
                .get(first.as_bytes())
                .cloned()
                .unwrap_or_else(|| Value::Bytes(Arc::from(&b""[..]))),
            "Glob" => Value::Object(Rc::new(self.glob(&first))),
            "Lines" => Value::strings(self.text(&first).trim_end_matches('\n').split('\n')),
            "AsConfig" => self.yaml(str::to_owned),
            _ => self.yaml(|text| base64::engine::general_purpose::STANDARD.encode(text)),
        })
    }

    fn underlying(&self) -> Option<Map> {
        Some(Map::typed(Element::Bytes, self.0.clone()))
    }

    fn print(&self) -> String {
        String::new()
    }
}

fn text_of(document: &serde_json::Value, key: &str) -> Value {
    match &document[key] {
        serde_json::Value::String(text) => Value::from(text.as_str()),
        _ => Value::from(""),
    }
}

fn capabilities() -> Value {
    let kube = Record::new("*common.KubeVersion")
        .printed("v1.36.0")
        .field("Version", Value::from("v1.36.0"))
        .field("Major", Value::from("1"))
        .field("Minor", Value::from("36"))
        .method("GitVersion", &[], |_| Ok(Value::from("v1.36.0")))
        .build();
    let versions = Record::new("common.VersionSet")
        .method("Has", &[Type::Str], |args| {
            Ok(Value::Bool(
                matches!(&args[0], Value::Str(t) if matches!(t.bytes(), b"v1" | b"apps/v1")),
            ))
        })
        .build();
    let helm = Record::new("version.BuildInfo")
        .field("Version", Value::from("v4.2"))
        .build();
    Record::new("*common.Capabilities")
        .field("KubeVersion", kube)
        .field("APIVersions", versions)
        .field("HelmVersion", helm)
        .build()
}

fn annotations(meta: &serde_json::Value) -> Entries {
    meta["annotations"]
        .as_object()
        .map(|map| {
            map.iter()
                .map(|(k, v)| (k.as_str().into(), Value::from(v.as_str().unwrap_or_default())))
                .collect()
        })
        .unwrap_or_default()
}

fn files(chart: &serde_json::Value) -> Entries {
    chart["files"]
        .as_object()
        .map(|files| {
            files
                .iter()
                .map(|(k, v)| {
                    (
                        k.as_str().into(),
                        Value::Bytes(Arc::from(v.as_str().unwrap_or_default().as_bytes())),
                    )
                })
                .collect()
        })
        .unwrap_or_default()
}

/// The root value for the file `c/templates/t.txt` of the chart of the vectors.
pub(crate) fn root(chart: &serde_json::Value) -> Value {
    let yaml = |text: &serde_json::Value| {
        capstan_yaml::parse_one(text.as_str().unwrap_or_default(), capstan_yaml::Mode::Kube11)
            .expect("the chart's YAML")
    };
    let meta = yaml(&chart["Chart.yaml"]);
    let annotations = annotations(&meta);
    let files = files(chart);
    // A null default is dropped when values are merged.
    let mut values = yaml(&chart["values.yaml"]);
    if let Some(map) = values.as_object_mut() {
        map.retain(|_, value| !value.is_null());
    }
    Value::map([
        (
            "Values",
            Value::Map(Map::named(
                "common.Values",
                Value::from_document(&values)
                    .as_map()
                    .expect("a map")
                    .entries()
                    .into_iter()
                    .collect(),
            )),
        ),
        (
            "Chart",
            Value::map([
                ("Name", text_of(&meta, "name")),
                ("Version", text_of(&meta, "version")),
                ("AppVersion", text_of(&meta, "appVersion")),
                ("APIVersion", text_of(&meta, "apiVersion")),
                ("Type", Value::from("")),
                ("IsRoot", Value::Bool(true)),
                ("Annotations", Value::Map(Map::typed(Element::Str, annotations))),
            ]),
        ),
        (
            "Release",
            Value::map([
                ("Name", text_of(chart, "release")),
                ("Namespace", text_of(chart, "namespace")),
                ("Service", Value::from("Helm")),
                ("Revision", Value::Int(1)),
                ("IsInstall", Value::Bool(true)),
                ("IsUpgrade", Value::Bool(false)),
            ]),
        ),
        ("Capabilities", capabilities()),
        ("Files", Value::Object(Rc::new(Files(files)))),
        ("Subcharts", Value::map::<&str>([])),
        (
            "Template",
            Value::map([
                ("Name", Value::from("c/templates/t.txt")),
                ("BasePath", Value::from("c/templates")),
            ]),
        ),
    ])
}

/// Renders one text as the chart's only template.
pub(crate) fn render(text: &str, root: &Value) -> Result<String, TemplateError> {
    let mut set = TemplateSet::new();
    set.parse("c/templates/t.txt", text)?;
    let mut context = Context::new(Limits::default(), Ambient::frozen(1_700_000_000, b"test"));
    set.execute("c/templates/t.txt", root, &mut context)
        .map(|text| String::from_utf8_lossy(&erase_no_value(text.into_bytes())).into_owned())
}

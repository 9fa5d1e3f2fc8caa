//! The three policies: equal renders, the caller's randomness, or none at all; and the interrupt.

use capstan_template::{Ambient, Context, Interrupt, Limit, Limits, Random, TemplateError, TemplateSet, Value};

fn render(text: &str, ambient: Ambient, interrupt: Option<Interrupt>) -> Result<String, TemplateError> {
    let mut set = TemplateSet::new();
    set.parse("c/templates/t.yaml", text)?;
    let mut context = Context::new(Limits::default(), ambient);
    if let Some(interrupt) = interrupt {
        context.interrupt = interrupt;
    }
    set.execute("c/templates/t.yaml", &Value::map::<&str>([]), &mut context)
}

/// One call of everything that is not a function of its arguments.
const IMPURE: &[&str] = &[
    "randAlphaNum 20",
    "randAlpha 20",
    "randNumeric 20",
    "randAscii 20",
    "randBytes 20",
    "randInt 0 1000000000000",
    "uuidv4",
    "shuffle \"abcdefghijklmnopqrstuvwxyz\"",
    "bcrypt \"x\"",
    "htpasswd \"u\" \"x\"",
    "encryptAES \"k\" \"text\"",
    "genPrivateKey \"ecdsa\"",
    "genPrivateKey \"ed25519\"",
    "(genCA \"ca\" 1).Key",
    "(genSelfSignedCert \"x\" nil nil 1).Cert",
];

#[test]
fn stable_renders_are_equal_and_keyed() {
    for call in IMPURE {
        let text = format!("{{{{ {call} }}}}");
        let first = render(&text, Ambient::frozen(0, b"one"), None).expect(call);
        let second = render(&text, Ambient::frozen(0, b"one"), None).expect(call);
        let other = render(&text, Ambient::frozen(0, b"two"), None).expect(call);
        assert_eq!(first, second, "{call}");
        assert_ne!(first, other, "{call}");
        let twice = render(&format!("{text}|{text}"), Ambient::frozen(0, b"one"), None).expect(call);
        let (a, b) = twice.split_once('|').expect("two results");
        assert_ne!(a, b, "{call}: two calls of one render differ");
    }
}

/// Another expansion of the seed, by us or by a new version of a crate, would replace the keys of every application: that must not
/// happen unnoticed.
#[test]
fn the_keys_of_a_seed_stay() {
    let text = "{{ (genCA \"ca\" 365).Key | sha256sum }} {{ genPrivateKey \"ecdsa\" | sha256sum }} {{ genPrivateKey \"ed25519\" | sha256sum }} {{ randAlphaNum 12 }} {{ bcrypt \"secret\" }}";
    let shown = render(text, Ambient::frozen(1_700_000_000, b"a key"), None).expect("an output");
    insta::assert_snapshot!(shown, @"8b9e37fc7a2eb21107dbd59f98d32bc25a67e94460c1761c454ad151055e15eb 8d49867f7ecf1936569278cefbc0b8fe53bbc1f1c0371677ff5599dd9cccd7b4 11af95e1baad8aa7d4eb0eba7728c8efef82b59feb217b1e6acc54c39860b780 j3zFIQc0KlpT $2a$10$ojLwX3bmW8G8u1EXvVCkQ.Co0KEim41GpqDLS0NcxY6G7jfNrkYyi");
}

#[test]
fn forbidden_calls_name_the_function_and_the_place() {
    let dates = ["now", "date \"2006\" \"x\"", "htmlDate nil", "ago 0"];
    for call in IMPURE.iter().chain(&dates) {
        let text = format!("a\n{{{{ {call} }}}}");
        let error = render(&text, Ambient::forbidden(), None).expect_err(call);
        let message = error.helm_message();
        let function = call.trim_start_matches('(').split(' ').next().expect("a name");
        assert!(message.contains("c/templates/t.yaml:2:"), "{message}");
        assert!(message.contains(&format!("error calling {function}: ")), "{message}");
        assert!(message.contains("determinism: forbid"), "{message}");
        assert_eq!(error.limit(), None);
    }
    // What only depends on its arguments is allowed.
    let text = "{{ date \"2006-01-02\" 0 }}{{ derivePassword 1 \"pin\" \"p\" \"u\" \"s\" | len }}";
    assert_eq!(
        render(text, Ambient::forbidden(), None).expect("an output"),
        "1970-01-014"
    );
}

/// A source the caller brings.
struct Given(u8);

impl Random for Given {
    fn fill(&mut self, template: &str, bytes: &mut [u8]) -> Result<(), String> {
        assert_eq!(template, "c/templates/t.yaml");
        bytes.fill(self.0);
        Ok(())
    }
}

#[test]
fn the_caller_can_bring_randomness_and_a_clock() {
    let ambient = || Ambient::live(86_400, Box::new(Given(7)));
    let shown = render("{{ uuidv4 }} {{ now | date \"2006-01-02\" }}", ambient(), None).expect("an output");
    assert_eq!(shown, "07070707-0707-4707-8707-070707070707 1970-01-02");
}

#[test]
fn an_interrupt_ends_a_render() {
    let interrupt = Interrupt::default();
    let text = "{{ range 9000000000 }}{{ end }}";
    interrupt.raise();
    let error = render(text, Ambient::forbidden(), Some(interrupt)).expect_err("it was raised");
    assert_eq!(error.limit(), Some(Limit::Time));
    assert!(error.to_string().contains("c/templates/t.yaml:1:"), "{error}");
}

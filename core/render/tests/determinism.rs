//! Passwords, keys and the time of a chart: the same for the same input, others for another seed, application or chart, refused where
//! the application forbids them.

use capstan_model::{ApplicationSource, HelmSource};
use capstan_render::{Determinism, MemoryTree, Random, RenderCache, RenderRequest, helm_template};

const SECRET: &str = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData:\n  password: {{ randAlphaNum 24 }}\n  id: {{ uuidv4 }}\n  \
                      key: {{ genPrivateKey \"ecdsa\" | quote }}\n  made: {{ now | date \"2006-01-02\" | quote }}\n  hash: {{ htpasswd \"u\" \"p\" }}\n";

fn chart(version: &str) -> MemoryTree {
    MemoryTree::from_files([
        (
            "c/Chart.yaml",
            format!("apiVersion: v2\nname: c\nversion: {version}\n").as_str(),
        ),
        ("c/templates/secret.yaml", SECRET),
    ])
}

fn render(
    name: &str,
    tree: &MemoryTree,
    determinism: Determinism<'_>,
    cache: Option<&RenderCache>,
) -> Result<String, String> {
    let source = ApplicationSource {
        path: "c".into(),
        helm: Some(HelmSource::default()),
        ..ApplicationSource::default()
    };
    let request = RenderRequest {
        determinism,
        cache,
        ..RenderRequest::new(name, &source)
    };
    let output = helm_template(&request, tree).map_err(|error| error.to_string())?;
    Ok(output.files["c/templates/secret.yaml"].clone())
}

#[test]
fn the_same_input_gives_the_same_secrets() {
    let stable = Determinism::Stable { seed: b"seed" };
    let cache = RenderCache::default();
    let first = render("shop", &chart("1.0.0"), stable, None).unwrap();
    assert_eq!(first, render("shop", &chart("1.0.0"), stable, None).unwrap());
    assert_eq!(first, render("shop", &chart("1.0.0"), stable, Some(&cache)).unwrap());
    assert_eq!(first, render("shop", &chart("1.0.0"), stable, Some(&cache)).unwrap());
    for other in [
        render("other", &chart("1.0.0"), stable, Some(&cache)),
        render("shop", &chart("1.0.1"), stable, Some(&cache)),
        render(
            "shop",
            &chart("1.0.0"),
            Determinism::Stable { seed: b"seed2" },
            Some(&cache),
        ),
    ] {
        let other = other.unwrap();
        let differ = first.lines().zip(other.lines()).filter(|(a, b)| a != b);
        assert!(differ.count() >= 4, "{other}");
    }
}

/// Counts up: not random, but new each time.
struct Counter(u8);

impl Random for Counter {
    fn fill(&mut self, _template: &str, bytes: &mut [u8]) -> Result<(), String> {
        for byte in bytes {
            self.0 = self.0.wrapping_mul(31).wrapping_add(17);
            *byte = self.0;
        }
        Ok(())
    }
}

#[test]
fn helm_draws_anew_and_sees_the_time() {
    let day = 86_400 * 366;
    for (start, now, made) in [(1, 0, "1970-01-01"), (2, day, "1971-01-02")] {
        let random = move || Box::new(Counter(start)) as Box<dyn Random>;
        let text = render(
            "shop",
            &chart("1.0.0"),
            Determinism::Helm { random: &random, now },
            None,
        )
        .unwrap();
        assert!(text.contains(&format!("made: \"{made}\"")), "{text}");
    }
}

#[test]
fn what_is_forbidden_is_named_with_its_place() {
    let message = render("shop", &chart("1.0.0"), Determinism::Forbid, None).unwrap_err();
    for part in ["c/templates/secret.yaml:5", "randAlphaNum", "forbid"] {
        assert!(message.contains(part), "{part}: {message}");
    }
}

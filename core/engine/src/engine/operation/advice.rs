//! What a person can do about what an API server says, where that is known and the server does not say it.

/// For some of its words, of a hook or of an ordinary object; the first that fits.
pub(super) fn advice(message: &str, is_hook: bool) -> Option<&'static str> {
    let of_namespace = || {
        let rest = message.split_once("namespaces \"").map(|(_, rest)| rest);
        rest.is_some_and(|rest| rest.contains("\" not found"))
    };
    match () {
        // Of hooks only what holds others, or data, is written over.
        () if is_hook && message.contains("field is immutable") => {
            Some("no hook deletes what holds others, or data: delete it, or give the hook another name")
        }
        () if message.contains("field is immutable") => {
            Some("with the sync option Force=true on the object it is deleted and made anew")
        }
        () if message.contains("field not declared in schema") => Some(
            "server-side apply takes no field that the kind does not declare, Validate=false or not: correct it; with the sync options \
             Validate=false,Replace=true on the object it is dropped",
        ),
        () if of_namespace() => Some("the sync option CreateNamespace=true makes the destination's namespace"),
        () => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_server_says_and_does_not_say() {
        let of = |message: &str| advice(message, false).unwrap_or_default();
        assert!(
            of("Job.batch \"a\" is invalid: spec.template: Invalid value: …: field is immutable")
                .contains("Force=true")
        );
        assert!(advice("spec: field is immutable", true).is_some_and(|advice| !advice.contains("Force")));
        assert!(of(".spec.replicaz: field not declared in schema").contains("Replace=true"));
        assert!(of("namespaces \"team\" not found").contains("CreateNamespace=true"));
        assert_eq!(of("configmaps \"a\" is forbidden"), "");
        assert_eq!(of("secrets \"namespaces\" not found"), "");
    }
}

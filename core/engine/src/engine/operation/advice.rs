//! What a person can do about what an API server says, where that is known and the server does not say it.

/// For some of its words; the first that fits.
pub(super) fn advice(message: &str) -> Option<&'static str> {
    let of_namespace = || {
        let rest = message.split_once("namespaces \"").map(|(_, rest)| rest);
        rest.is_some_and(|rest| rest.contains("\" not found"))
    };
    match () {
        () if message.contains("field is immutable") => {
            Some("with the sync option Force=true on the object it is deleted and made anew")
        }
        () if of_namespace() => Some("the sync option CreateNamespace=true makes the destination's namespace"),
        () => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_server_says_and_does_not_say() {
        let of = |message: &str| advice(message).unwrap_or_default();
        assert!(
            of("Job.batch \"a\" is invalid: spec.template: Invalid value: …: field is immutable")
                .contains("Force=true")
        );
        assert!(of("namespaces \"team\" not found").contains("CreateNamespace=true"));
        assert_eq!(of("configmaps \"a\" is forbidden"), "");
        assert_eq!(of("secrets \"namespaces\" not found"), "");
    }
}

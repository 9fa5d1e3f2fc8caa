//! A kubeconfig for kubectl and for the controller.

use std::io;
use std::path::Path;

/// The text of a kubeconfig whose only cluster is at `url`, without credentials.
pub fn kubeconfig(url: &str) -> String {
    let text = serde_json::json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "capstan",
        "clusters": [{"name": "capstan", "cluster": {"server": url}}],
        "users": [{"name": "capstan", "user": {}}],
        "contexts": [{"name": "capstan", "context": {"cluster": "capstan", "user": "capstan"}}],
    });
    // JSON is YAML, and every reader of a kubeconfig takes it.
    format!("{text:#}\n")
}

/// Writes a kubeconfig for `url` to `path`.
///
/// # Errors
/// When the file cannot be written.
#[expect(clippy::disallowed_methods, reason = "front ends do I/O; the world does not")]
pub fn write_kubeconfig(path: &Path, url: &str) -> io::Result<()> {
    std::fs::write(path, kubeconfig(url))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_names_the_server() {
        let value: serde_json::Value = serde_json::from_str(&kubeconfig("http://127.0.0.1:1")).unwrap();
        assert_eq!(value["clusters"][0]["cluster"]["server"], "http://127.0.0.1:1");
    }
}

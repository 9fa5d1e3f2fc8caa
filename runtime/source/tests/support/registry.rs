//! A real registry, go-containerregistry's, in a process of its own.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use super::helm::oracle;

pub(crate) struct Registry {
    process: Child,
    pub(crate) address: String,
}

impl Registry {
    /// `tokens`: credentials are taken by its token service only.
    pub(crate) fn start(login: Option<(&str, &str)>, tokens: bool) -> Option<Self> {
        let mut command = Command::new(oracle("registry")?);
        if let Some((user, password)) = login {
            command.args(["-user", user, "-password", password]);
        }
        if tokens {
            command.arg("-tokens");
        }
        let mut process = command
            .stdout(Stdio::piped())
            .spawn()
            .expect("the registry can be started");
        let mut line = String::new();
        let output = process.stdout.take().expect("piped");
        BufReader::new(output).read_line(&mut line).expect("its address");
        Some(Self {
            process,
            address: line.trim().to_owned(),
        })
    }

    pub(crate) fn url(&self, name: &str) -> String {
        format!("oci://{}/{name}", self.address)
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

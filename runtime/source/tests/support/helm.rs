//! The real Helm, and what it packs.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A program that `tests/oracles/build.sh` built; says so when it is not there.
pub(crate) fn oracle(name: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("CAPSTAN_ORACLES").map(PathBuf::from).or_else(|| {
        let home = std::env::var_os("HOME").map(PathBuf::from)?;
        Some(home.join(".cache/capstan/oracles"))
    })?;
    let path = folder.join(name);
    if !path.is_file() {
        println!("skipped: there is no {name} in {}", folder.display());
        return None;
    }
    Some(path)
}

/// Helm with its own folders, so that nothing of the machine is used.
#[derive(Clone, Debug)]
pub(crate) struct Helm {
    program: PathBuf,
    home: PathBuf,
}

impl Helm {
    pub(crate) fn new(home: &Path) -> Option<Self> {
        Some(Self {
            program: oracle("helm")?,
            home: home.join("helm-home"),
        })
    }

    /// Runs it; what it prints.
    pub(crate) fn run(&self, dir: &Path, arguments: &[&str]) -> String {
        match self.try_run(dir, arguments) {
            Ok(output) => output,
            Err(output) => panic!("helm {arguments:?}: {output}"),
        }
    }

    pub(crate) fn try_run(&self, dir: &Path, arguments: &[&str]) -> Result<String, String> {
        let output = Command::new(&self.program)
            .args(arguments)
            .current_dir(dir)
            .env_clear()
            .env("HOME", &self.home)
            .env("HELM_CACHE_HOME", self.home.join("cache"))
            .env("HELM_CONFIG_HOME", self.home.join("config"))
            .env("HELM_DATA_HOME", self.home.join("data"))
            .output()
            .expect("helm can be started");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        if output.status.success() {
            Ok(text(&output.stdout))
        } else {
            Err(text(&output.stderr))
        }
    }

    /// Packs a small chart into `dir`; its file.
    pub(crate) fn pack(&self, dir: &Path, name: &str, version: &str, more: &str) -> PathBuf {
        let chart = dir.join("src").join(format!("{name}-{version}")).join(name);
        std::fs::create_dir_all(chart.join("templates")).expect("a folder");
        let metadata = format!("apiVersion: v2\nname: {name}\nversion: {version}\n{more}");
        std::fs::write(chart.join("Chart.yaml"), metadata).expect("a file");
        let template = format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{{{ .Release.Name }}}}-{name}\ndata:\n  version: {version:?}\n"
        );
        std::fs::write(chart.join("templates/map.yaml"), template).expect("a file");
        let repository = dir.join("repository");
        std::fs::create_dir_all(&repository).expect("a folder");
        let (chart, target) = (chart.display().to_string(), repository.display().to_string());
        self.run(dir, &["package", &chart, "-d", &target]);
        repository.join(format!("{name}-{version}.tgz"))
    }

    /// Writes `index.yaml` of what was packed; the folder of the repository.
    pub(crate) fn index(&self, dir: &Path, arguments: &[&str]) -> PathBuf {
        let repository = dir.join("repository");
        let target = repository.display().to_string();
        self.run(dir, &[&["repo", "index", target.as_str()], arguments].concat());
        repository
    }
}

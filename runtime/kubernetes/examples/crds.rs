//! Writes the definitions to `deploy/crds`, or to the folder that is given.

use std::path::PathBuf;

fn main() -> std::io::Result<()> {
    let default = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/crds");
    let folder = std::env::args_os()
        .nth(1)
        .map_or_else(|| PathBuf::from(default), PathBuf::from);
    std::fs::create_dir_all(&folder)?;
    for definition in capstan_kubernetes::crds::definitions() {
        std::fs::write(folder.join(definition.file), definition.yaml())?;
    }
    Ok(())
}

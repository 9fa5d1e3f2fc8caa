//! Opening repositories so that nothing outside of them has a say: no user's or machine's Git configuration, no environment, no
//! replacement refs.

use std::path::Path;

/// Packs that may come on top of those found at opening.
const SPARE_PACKS: usize = 1024;

fn options() -> gix::open::Options {
    gix::open::Options::isolated()
        .config_overrides(["core.useReplaceRefs=false", "gitoxide.objects.noReplace=true"])
        .object_store_slots(gix::odb::store::init::Slots::AsNeededByDiskState {
            multiplier: 2.0,
            minimum: SPARE_PACKS,
        })
}

/// Opens what is there.
pub(crate) fn open(path: &Path) -> gix::Result<gix::ThreadSafeRepository> {
    gix::ThreadSafeRepository::open_opts(path, options())
}

/// Makes an empty bare repository.
pub(crate) fn create(path: &Path) -> gix::Result<gix::ThreadSafeRepository> {
    gix::ThreadSafeRepository::init_opts(
        path,
        gix::create::Kind::Bare,
        gix::create::Options::default(),
        options(),
    )
}

//! A path that is not there is an error, whatever would have been made of it; an empty folder is none.

use capstan_model::{ApplicationSource, DirectorySource, HelmSource};
use capstan_render::{MemoryTree, RenderError, RenderRequest, render};

fn tree() -> MemoryTree {
    MemoryTree::from_files([("shop/empty/.keep", ""), ("shop/all.yaml", "{}")])
}

fn objects(source: &ApplicationSource) -> Result<usize, RenderError> {
    let output = render(&RenderRequest::new("shop", source), &tree())?;
    Ok(output.manifests.len())
}

#[test]
fn a_path_that_vanished_is_no_empty_source() {
    for path in ["shop/gone", "gone", "shop/gone.tgz", "shop/all.yaml/more"] {
        for (directory, helm) in [
            (None, None),
            (Some(DirectorySource::default()), None),
            (None, Some(HelmSource::default())),
        ] {
            let source = ApplicationSource {
                path: path.into(),
                directory,
                helm,
                ..ApplicationSource::default()
            };
            let error = objects(&source).expect_err("there is nothing at this path");
            assert!(error.to_string().contains(path.trim_end_matches("/more")), "{error}");
        }
    }
}

#[test]
fn an_empty_folder_declares_nothing() {
    let source = ApplicationSource {
        path: "shop/empty".into(),
        ..ApplicationSource::default()
    };
    assert_eq!(objects(&source).expect("it is there"), 0);
}

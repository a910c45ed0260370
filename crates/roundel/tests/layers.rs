//! A call goes down, a value comes back: no layer names a higher one.

use std::fs;
use std::path::{Path, PathBuf};

/// The layers, lowest first. What a layer is called by others is its module in the crate's root.
const LAYERS: [&str; 8] = [
    "sys",
    "reactor",
    "files",
    "dispatcher",
    "program",
    "fs",
    "net",
    "sim",
];

fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.path())
        .flat_map(|path| {
            if path.is_dir() {
                sources(&path)
            } else {
                vec![path]
            }
        })
        .collect()
}

#[test]
fn no_layer_names_a_higher_one() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for (height, layer) in LAYERS.iter().enumerate() {
        let files = sources(&root.join(layer));
        assert!(!files.is_empty(), "{layer} has moved");
        for file in files {
            let text = fs::read_to_string(&file).unwrap();
            let code = text
                .lines()
                .filter(|line| !line.trim_start().starts_with("//"));
            let code: String = code.collect();
            for higher in &LAYERS[height + 1..] {
                let named = format!("crate::{higher}");
                assert!(!code.contains(&named), "{} names {named}", file.display());
            }
            // A name in the root may be anybody's.
            assert!(
                !code.contains("use crate::{"),
                "{} hides what it uses",
                file.display()
            );
        }
    }
}

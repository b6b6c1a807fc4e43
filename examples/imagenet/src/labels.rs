//! The names of ImageNet's classes.

use std::sync::LazyLock;

/// How many classes there are.
pub const CLASSES: usize = 1000;

static LABELS: LazyLock<Vec<&'static str>> = LazyLock::new(|| {
    include_str!("../imagenet_labels.txt").lines().filter(|line| !line.starts_with('#')).collect()
});

/// The name of a class.
///
/// # Panics
/// When `class` is not below [`CLASSES`].
pub fn label(class: usize) -> &'static str {
    LABELS[class]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thousand_names_in_the_known_order() {
        assert_eq!(LABELS.len(), CLASSES);
        let mut distinct = LABELS.clone();
        distinct.sort_unstable();
        distinct.dedup();
        assert_eq!(distinct.len(), CLASSES);
        let known =
            [(0, "tench"), (285, "Egyptian cat"), (872, "tripod"), (967, "espresso"), (999, "toilet tissue")];
        for (class, name) in known {
            assert_eq!(label(class), name);
        }
    }
}

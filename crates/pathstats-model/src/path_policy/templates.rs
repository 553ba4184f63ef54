//! Templates: paths that an application makes without end, written as one.

use core::str::FromStr;

use crate::event::check_path;

/// Most templates: each path is held against all of them.
const MAX_TEMPLATES: usize = 50;

/// Templates as configured: `/products/:sku, /files/*`. A segment that begins with `:` stands for any one
/// segment, a `*` at the end for any ending. The first that fits is what a path counts under.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PathTemplates(Vec<String>);

/// Why templates are refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PathTemplateError {
    /// A template that is none.
    #[error(
        "{0:?} is not a template: expected a path such as \"/products/:sku\" or \"/files/*\", with `:` and a name \
         for one segment, or `*` for the ending"
    )]
    Template(String),
    /// Too many.
    #[error("{0} templates: at most 50, separated by commas")]
    TooMany(usize),
}

impl FromStr for PathTemplates {
    type Err = PathTemplateError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.trim().is_empty() {
            return Ok(Self::default());
        }
        let templates: Vec<String> = text.split(',').map(|template| template.trim().to_owned()).collect();
        if templates.len() > MAX_TEMPLATES {
            return Err(PathTemplateError::TooMany(templates.len()));
        }
        match templates.iter().find(|template| !is_template(template)) {
            Some(wrong) => Err(PathTemplateError::Template(wrong.clone())),
            None => Ok(Self(templates)),
        }
    }
}

impl PathTemplates {
    /// What a path counts under. Applying it twice changes nothing.
    #[must_use]
    pub fn apply(&self, path: String) -> String {
        if self.0.contains(&path) {
            return path;
        }
        match self.0.iter().find(|template| fits(template, &path)) {
            Some(template) => template.clone(),
            None => path,
        }
    }
}

/// Whether a text is a template: a valid path with a placeholder, whose segments are not empty.
#[must_use]
pub fn is_template(text: &str) -> bool {
    let Some(segments) = text.strip_prefix('/').filter(|_| check_path(text).is_ok()) else { return false };
    let segments: Vec<&str> = segments.split('/').collect();
    let (last, before) = segments.split_last().unwrap_or((&"", &[]));
    let named = |segment: &&str| segment.len() > 1 && segment.starts_with(':');
    let plain = |segment: &&str| !segment.is_empty() && !segment.starts_with(':') && !segment.contains('*');
    before.iter().all(|segment: &&str| named(segment) || plain(segment))
        && (*last == "*" || named(last) || plain(last))
        && (*last == "*" || segments.iter().any(named))
        && !text.contains([',', '?', '#'])
}

fn fits(template: &str, path: &str) -> bool {
    let mut segments = path.split('/');
    for expected in template.split('/') {
        if expected == "*" {
            // The ending is not empty: `/files/*` is not `/files/`.
            return segments.next().is_some_and(|first| !first.is_empty() || segments.next().is_some());
        }
        let Some(segment) = segments.next() else { return false };
        let matches = if expected.starts_with(':') { !segment.is_empty() } else { segment == expected };
        if !matches {
            return false;
        }
    }
    segments.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn templates(text: &str) -> PathTemplates {
        text.parse().unwrap()
    }

    #[test]
    fn the_first_template_that_fits_is_what_a_path_counts_under() {
        let shop = templates("/products/:sku/reviews, /products/:sku,/files/*");
        for (path, counted) in [
            ("/products/blue-shoe", "/products/:sku"),
            ("/products/blue-shoe/reviews", "/products/:sku/reviews"),
            ("/products/blue-shoe/", "/products/blue-shoe/"),
            ("/products/", "/products/"),
            ("/products/a/b", "/products/a/b"),
            ("/files/a", "/files/*"),
            ("/files/a/b/c/", "/files/*"),
            ("/files/", "/files/"),
            ("/files", "/files"),
            ("/", "/"),
        ] {
            assert_eq!(shop.apply(path.to_owned()), counted, "{path}");
        }
        assert_eq!(templates("").apply("/products/x".to_owned()), "/products/x");
    }

    #[test]
    fn what_is_no_template_is_refused_by_name() {
        for text in ["products/:sku", "/products", "/a//:b", "/a/*/b", "/a/b*", "/a/:", "/:a,", "/a/:b/"] {
            assert!(text.parse::<PathTemplates>().is_err(), "{text}");
        }
        let error = "/a/:b,/c".parse::<PathTemplates>().unwrap_err();
        assert!(error.to_string().starts_with("\"/c\" is not a template"), "{error}");
        assert_eq!(vec!["/a/:b"; 51].join(",").parse::<PathTemplates>(), Err(PathTemplateError::TooMany(51)));
    }

    proptest! {
        #[test]
        fn applying_templates_twice_changes_nothing(
            path in "(/(a|b|:x|\\*|c)?){1,5}",
            rules in proptest::collection::vec("(/(a|b|:x|:y)){1,3}(/\\*)?", 1..5),
        ) {
            let rules: Vec<String> = rules.into_iter().filter(|rule| is_template(rule)).collect();
            let rules = templates(&rules.join(","));
            let once = rules.apply(path);
            prop_assert_eq!(rules.apply(once.clone()), once.clone());
            prop_assert_eq!(check_path(&once), Ok(()));
        }
    }
}

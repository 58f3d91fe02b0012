//! The macro: a page written like the JSON that it makes.

/// Asks for all parts of a page in parallel and answers with the page, whole or partial.
///
/// Each field names its policy: `subject`, `required`, `optional`, `fallback` (with a stand-in), or `given`
/// for a value that is already there. The struct's last field is `meta`, which this fills in. Every call starts as
/// soon as its own inputs are there; the first required part that fails ends the page and cancels the others.
///
/// Written with an arrow, `compose!(page => Page { … })`, because rustfmt leaves that as it stands: the fields keep the
/// shape of the JSON.
///
/// Evaluates to `Result<Json<Page>>`. Each word is a method of [`Composer`](crate::compose::Composer).
#[macro_export]
macro_rules! compose {
    ($page:expr => $view:ident { $($field:ident : $word:ident ( $($argument:expr),+ $(,)? )),+ $(,)? }) => {{
        let page: &$crate::compose::Composer = &$page;
        // All parts first, names after: a field must not hide a variable of the same name from the next one.
        let ($($field,)+) = ($(page.$word(::core::stringify!($field), $($argument),+),)+);
        match page.open() {
            ::core::result::Result::Ok(()) => match $crate::compose::try_join!($($field),+) {
                ::core::result::Result::Ok(($($field,)+)) => {
                    ::core::result::Result::Ok($crate::Json($view { $($field,)+ meta: page.meta() }))
                }
                ::core::result::Result::Err(error) => ::core::result::Result::Err(error),
            },
            ::core::result::Result::Err(error) => ::core::result::Result::Err(error),
        }
    }};
}

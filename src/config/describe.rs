//! How a setting is described: once, for reading, for the reference page, for the JSON Schema and for the example file.
//!
//! `section!` makes a struct, its description and its reader from one list of `name: Type = default`. Deliberately no
//! layering, no environment overrides and no plug-ins: a file says everything.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::reader::{Place, Reader};

/// What kind of value a setting takes.
pub(super) enum Shape {
    /// A TOML string of a certain form; an example of it.
    Text { form: &'static str, example: &'static str },
    /// An integer.
    Integer,
    /// A number.
    Number,
    /// `true` or `false`.
    Flag,
    /// One of these words, each with its meaning.
    Choice(&'static [(&'static str, &'static str)]),
    /// A list.
    List(Box<Shape>),
    /// A table whose keys are free.
    Map(Box<Shape>),
    /// A table with known keys.
    Section { help: &'static str, fields: &'static [Field] },
}

/// Description of one setting.
pub(super) struct Field {
    /// Key.
    pub(super) key: &'static str,
    /// What it does, from its doc comment.
    pub(super) help: &'static str,
    /// Default as TOML; `none` if it may be absent, `required` if it must not.
    pub(super) default: &'static str,
    /// Least and greatest value, as they would be written.
    pub(super) bounds: Option<(&'static str, &'static str)>,
    /// What it takes.
    pub(super) shape: fn() -> Shape,
}

/// A type that can stand as the value of a setting.
pub(super) trait Setting: Sized {
    /// What it takes.
    fn shape() -> Shape;
    /// Reads the value, or reports what is wrong with it and returns `None`.
    fn read(reader: &mut Reader<'_>, place: &Place, value: &Spanned<DeValue<'_>>) -> Option<Self>;
    /// The value when the key is absent and there is no default.
    fn absent() -> Option<Self> {
        None
    }
}

/// A table with known keys.
pub(super) trait Section: Sized {
    /// What the table is for.
    const HELP: &'static str;
    /// Its settings.
    const FIELDS: &'static [Field];
    /// Reads all settings, reports every mistake.
    fn read_table(reader: &mut Reader<'_>, place: &Place, table: &DeTable<'_>) -> Option<Self>;
}

impl<S: Section> Setting for S {
    fn shape() -> Shape {
        Shape::Section { help: S::HELP, fields: S::FIELDS }
    }

    fn read(reader: &mut Reader<'_>, place: &Place, value: &Spanned<DeValue<'_>>) -> Option<Self> {
        match value.get_ref() {
            DeValue::Table(table) => S::read_table(reader, place, table),
            _ => reader.wrong_type(place, value, "a table", &format!("write [{}] on a line of its own", place.path)),
        }
    }
}

/// Makes a settings struct with its description and reader.
macro_rules! section {
    ($(#[doc = $help:literal])+ $name:ident {
        $( $(#[doc = $field_help:literal])+ $field:ident : $type:ty = $default:tt $(in $least:literal .. $greatest:literal)? ),* $(,)?
    }) => {
        $(#[doc = $help])+
        #[derive(Clone, Debug, PartialEq)]
        pub struct $name {
            $( $(#[doc = $field_help])+ pub $field: $type, )*
        }

        impl $crate::config::describe::Section for $name {
            const HELP: &'static str = concat!($($help, "\n"),+);
            const FIELDS: &'static [$crate::config::describe::Field] = &[
                $( $crate::config::describe::Field {
                    key: stringify!($field),
                    help: concat!($($field_help, "\n"),+),
                    default: stringify!($default),
                    bounds: section!(@bounds $($least $greatest)?),
                    shape: <$type as $crate::config::describe::Setting>::shape,
                }, )*
            ];

            fn read_table(
                reader: &mut $crate::config::reader::Reader<'_>,
                place: &$crate::config::reader::Place,
                table: &toml::de::DeTable<'_>,
            ) -> Option<Self> {
                reader.refuse_unknown_keys(place, table, Self::FIELDS);
                let mut fields = Self::FIELDS.iter();
                $( let $field = reader.field::<$type>(place, table, fields.next()); )*
                Some(Self { $( $field: $field?, )* })
            }
        }
    };
    (@bounds) => { None };
    (@bounds $least:literal $greatest:literal) => { Some((stringify!($least), stringify!($greatest))) };
}

/// Makes an enum whose values are words in the configuration.
macro_rules! choice {
    ($(#[doc = $help:literal])+ $name:ident { $( #[doc = $meaning:literal] $variant:ident = $word:literal ),+ $(,)? }) => {
        $(#[doc = $help])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name {
            $( #[doc = $meaning] $variant, )+
        }

        impl $name {
            /// The word that stands for it in the configuration.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $( Self::$variant => $word, )+ }
            }
        }

        impl $crate::config::describe::Setting for $name {
            fn shape() -> $crate::config::describe::Shape {
                $crate::config::describe::Shape::Choice(&[$( ($word, $meaning) ),+])
            }

            fn read(
                reader: &mut $crate::config::reader::Reader<'_>,
                place: &$crate::config::reader::Place,
                value: &toml::Spanned<toml::de::DeValue<'_>>,
            ) -> Option<Self> {
                reader.choice(place, value, &[$( ($word, Self::$variant) ),+])
            }
        }
    };
}

pub(super) use {choice, section};

//! The dimensions that rows are grouped by.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// What stands between the name of an index and its version.
pub const VERSION_MARK: char = '@';

/// Names of the dimensions, in the order of [`Dimension`] and of the columns in the `metrics` table.
pub const DIMENSIONS: [&str; 9] =
    ["tenant", "app", "response_model", "prompt_version", "variant", "environment", "job", "index", "feedback_name"];

/// A dimension; the number is the index into [`DIMENSIONS`] and [`Group`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(usize)]
pub enum Dimension {
    /// Customer.
    Tenant,
    /// Application.
    App,
    /// Model that answered.
    ResponseModel,
    /// Version of the prompt template.
    PromptVersion,
    /// Variant of a canary or A/B test.
    Variant,
    /// Deployment environment.
    Environment,
    /// Job of a pipeline event.
    Job,
    /// Grounding index.
    Index,
    /// Name of the feedback.
    FeedbackName,
}

impl Dimension {
    /// All dimensions in column order.
    pub const ALL: [Self; 9] = [
        Self::Tenant,
        Self::App,
        Self::ResponseModel,
        Self::PromptVersion,
        Self::Variant,
        Self::Environment,
        Self::Job,
        Self::Index,
        Self::FeedbackName,
    ];

    /// Name of the column.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        DIMENSIONS[self as usize]
    }
}

/// A value, or none, for each dimension. `__other__` stands for everything beyond the cap.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Group(pub [Option<Arc<str>>; 9]);

impl Group {
    /// The value that stands for every group beyond the cap.
    pub const OTHER: &str = "__other__";

    /// Value of one dimension.
    #[must_use]
    pub fn get(&self, dimension: Dimension) -> Option<&Arc<str>> {
        self.0[dimension as usize].as_ref()
    }
}

//! A vertical rail of steps. The sentences alone tell the story; each step opens for the detail.

use chrono::{DateTime, Utc};
use maud::{Markup, html};

use crate::web::ui::time::{Moment, offset};
use crate::web::ui::tone::Tone;

/// One step of a story.
#[derive(Debug, Clone)]
pub struct Step {
    pub at: DateTime<Utc>,
    pub tone: Tone,
    pub sentence: Markup,
    /// What the step opens for: its words and content.
    pub detail: Option<(String, Markup)>,
}

/// The rail, in the order given; offsets count from the first step.
pub fn story(steps: &[Step], moment: Moment) -> Markup {
    let start = steps.first().map(|s| s.at);
    html! {
        ol class="story" {
            @for (at, step) in steps.iter().enumerate() {
                li class="story-step" {
                    span class={ "story-shape " (step.tone.class()) } { (step.tone.shape()) }
                    div class="story-sentence" { (step.sentence) }
                    time class="story-offset" datetime=(step.at.format("%Y-%m-%dT%H:%M:%S%.3fZ"))
                        title=(step.at.format("%Y-%m-%d %H:%M:%S%.3f UTC")) {
                        @if at == 0 { (moment.short(step.at)) }
                        @else if let Some(start) = start { (offset(step.at - start)) }
                    }
                    @if let Some((words, detail)) = &step.detail {
                        details class="story-more" { summary { (words) } (detail) }
                    }
                }
            }
        }
    }
}

/// A request or an answer, as it went over the wire, secrets taken out.
pub fn raw(label: &str, text: &str) -> Markup {
    html! {
        @if !text.is_empty() {
            p class="raw-label" { (label) }
            pre class="raw" tabindex="0" { (text) }
        }
    }
}

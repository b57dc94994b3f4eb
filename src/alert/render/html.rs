//! The HTML part: the sections of the text in one column, without images, scripts or anything from elsewhere.

use super::Section;
use crate::alert::notification::{Kind, Notification};

pub(super) fn page(notification: &Notification, lead: &str, sections: &[Section]) -> String {
    let colour = match notification.kind {
        Kind::Firing | Kind::Reopened | Kind::Update => "#b3261e",
        Kind::Resolved => "#1b6e3c",
        Kind::Corrected | Kind::Test => "#4a5568",
    };
    let mut out = String::from(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"></head>\n\
         <body style=\"margin:0;padding:16px;font-family:-apple-system,'Segoe UI',Roboto,sans-serif;color:#1a202c\">\n\
         <div style=\"max-width:600px\">\n",
    );
    out.extend([
        "<p style=\"font-size:18px;font-weight:600;margin:0 0 12px;padding-left:10px;border-left:5px solid ",
        colour,
        "\">",
    ]);
    out.extend([&escape(lead), "</p>\n"]);
    out.push_str(
        "<table role=\"presentation\" cellpadding=\"0\" cellspacing=\"0\" style=\"border-collapse:collapse;width:100%\">\n",
    );
    for section in sections {
        out.push_str(
            "<tr><td style=\"vertical-align:top;padding:6px 14px 6px 0;color:#718096;font-size:12px;white-space:nowrap\">",
        );
        out.extend([section.name, "</td><td style=\"padding:5px 0;font-size:14px\">"]);
        let mut in_query = false;
        for line in &section.lines {
            let starts = line.starts_with("Query ");
            if starts && !in_query {
                out.push_str(
                    "Query<br><pre style=\"margin:4px 0;padding:8px;background:#f7fafc;font-size:12px;white-space:pre-wrap\">",
                );
                out.push_str(&escape(line.trim_start_matches("Query").trim_start()));
                in_query = true;
            } else if in_query {
                out.push('\n');
                out.push_str(&escape(line));
            } else {
                out.push_str(&link(line));
                out.push_str("<br>");
            }
        }
        if in_query {
            out.push_str("</pre>");
        }
        out.push_str("</td></tr>\n");
    }
    out.push_str("</table>\n</div></body></html>\n");
    out
}

/// A line with its address, if it ends in one, as a link.
fn link(line: &str) -> String {
    match line.rsplit_once(' ') {
        Some((before, url)) if url.starts_with("https://") || url.starts_with("http://") => {
            format!("{} <a href=\"{1}\">{1}</a>", escape(before.trim_end()), escape(url))
        }
        _ => escape(line),
    }
}

/// Text that cannot become markup.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

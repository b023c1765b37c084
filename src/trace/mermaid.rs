//! Steps as a sequence diagram for Mermaid (<https://mermaid.js.org/syntax/sequenceDiagram.html>).

use super::lines;
use super::step::{Party, Step};
use crate::model::text::escaped;
use std::io;

/// Writes the whole diagram.
///
/// # Errors
/// Those of `out`.
pub fn write<'a>(out: &mut impl io::Write, parties: &[Party], steps: impl Iterator<Item = &'a Step>) -> io::Result<()> {
    out.write_all(b"sequenceDiagram\n")?;
    for party in parties {
        writeln!(out, "    participant {} as {party}", id(*party))?;
    }
    for step in steps {
        let text = label(&format!("{:.3} s: {}", step.at.as_secs_f64(), lines::text(step)));
        if step.from == step.to {
            writeln!(out, "    Note over {}: {text}", id(step.from))?;
        } else {
            // A cross at the end of an arrow is a loss.
            let arrow = if step.is_bad { "-x" } else { "->>" };
            writeln!(out, "    {}{arrow}{}: {text}", id(step.from), id(step.to))?;
        }
    }
    Ok(())
}

fn id(party: Party) -> String {
    party.to_string().replace(' ', "")
}

/// Text in which Mermaid finds no syntax: it takes entities by number for the characters that have a meaning.
fn label(text: &str) -> String {
    let mut label = String::with_capacity(text.len());
    for char in escaped(text).chars() {
        match char {
            '#' | ';' | '<' | '>' | '"' | '&' | '\\' | '`' | '%' | '{' | '}' => {
                label.push_str(&format!("#{};", u32::from(char)));
            }
            _ => label.push(char),
        }
    }
    label
}

#[cfg(test)]
mod tests {
    use super::super::step::StepKind;
    use super::*;
    use crate::model::ids::WorkerId;
    use crate::model::time::Instant;

    #[test]
    fn arrows_notes_and_losses_have_their_own_shapes_and_text_has_no_syntax() {
        let worker = Party::Worker(WorkerId::from_index(0));
        let step = Step::new(Instant(1_500_000_000), StepKind::Order, "waits");
        let arrow = Step { to: worker, label: "item 0; #1".to_owned(), ..step.clone() };
        let loss = Step { from: worker, label: "exit 3\n-->".to_owned(), is_bad: true, ..step.clone() };
        let mut out = Vec::new();
        write(&mut out, &[Party::Supervisor, worker], [&step, &arrow, &loss].into_iter()).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "sequenceDiagram\n    participant supervisor as supervisor\n    participant worker1 as worker 1\n    \
             Note over supervisor: 1.500 s: waits\n    supervisor->>worker1: 1.500 s: item 0#59; #35;1\n    \
             worker1-xsupervisor: 1.500 s: exit 3#92;n--#62;\n"
        );
    }
}

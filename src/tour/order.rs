//! Lesson `order`: first in first out, last in first out, and priority, on the same items.

use super::actor::{Actor, PROGRAM_PART, part_command};
use super::error::TourError;
use super::flow::shown_command;
use super::layout::padded;
use super::report::Unit;
use super::stage::LessonStage;
use super::text::order as text;
use std::io::{self, Write};
use std::process::Stdio;

/// The items in the order of their arrival, each with its number.
const ITEMS: [(u32, &str); 6] = [(3, "clean"), (1, "login"), (2, "mail"), (1, "pay"), (3, "backup"), (2, "report")];
const QUEUES: [&str; 3] = ["fifo", "lifo", "priority"];

pub fn hold(stage: &mut LessonStage<'_>) -> Result<(), TourError> {
    stage.say(&text::ARRIVAL, &[])?;
    for (number, item) in ITEMS {
        stage.line(&format!("{number} {item}"))?;
    }
    let mut orders = Vec::new();
    for queue in QUEUES {
        let arguments = ["-j", "1", "--credit", "1", "--queue", queue, "-a", "-", "--task", "echo"];
        stage.command(&shown_command(&arguments))?;
        orders.push(order_of(&arguments)?);
    }
    stage.pause()?;
    stage.say(&text::SIDE_BY_SIDE, &[])?;
    let columns = |cells: [&str; 3]| cells.map(|cell| padded(cell, 10)).concat();
    stage.line(columns(QUEUES).trim_end())?;
    for at in 0..orders.iter().map(Vec::len).max().unwrap_or(0) {
        let cell = |queue: usize| orders[queue].get(at).map_or("-", String::as_str);
        stage.line(columns([cell(0), cell(1), cell(2)]).trim_end())?;
    }
    for (queue, order) in QUEUES.iter().zip(&orders) {
        stage.value_of(queue, &text::ORDER_OF, &[("queue", queue)], order.join(" "), Unit::Words)?;
    }
    let arrival = ITEMS.map(|(_, item)| item);
    let mut newest_first = arrival;
    newest_first.reverse();
    let mut sorted = ITEMS;
    // Stable: equal numbers stay in the order of arrival.
    sorted.sort_by_key(|(number, _)| *number);
    stage.claim(&text::FIFO, orders[0] == arrival);
    stage.claim(&text::LIFO, orders[1] == newest_first);
    stage.claim(&text::PRIORITY, orders[2] == sorted.map(|(_, item)| item));
    stage.claim(&text::ALL_THERE, orders.iter().all(|order| is_same_items(order)));
    Ok(())
}

/// Runs the program on the items and returns them, without their numbers, in the order in which its only worker had them.
fn order_of(arguments: &[&str]) -> Result<Vec<String>, TourError> {
    let mut all = vec!["--quiet", "--output", "results"];
    all.extend(arguments);
    // All items wait before the program starts: their order does not depend on who is faster.
    let (input, mut items) = io::pipe().map_err(TourError::system("make a pipe"))?;
    for (number, item) in ITEMS {
        writeln!(items, "{number}\t{item}").map_err(TourError::system("write an item"))?;
    }
    drop(items);
    let mut command = part_command(PROGRAM_PART, &all);
    command.stdin(Stdio::from(input));
    let mut program = Actor::of_command(PROGRAM_PART, command)?;
    let lines = program.hear_all()?;
    program.wait()?;
    // With `priority` the number is no part of the item.
    Ok(lines.into_iter().map(|line| line.rsplit('\t').next().unwrap_or_default().to_owned()).collect())
}

fn is_same_items(order: &[String]) -> bool {
    let mut order: Vec<&str> = order.iter().map(String::as_str).collect();
    let mut items = ITEMS.map(|(_, item)| item);
    order.sort_unstable();
    items.sort_unstable();
    order == items
}

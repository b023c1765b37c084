//! Tests of the core, a file for each feature: a script of facts, and the orders that must follow, as text.

mod chaos;
mod contract;
mod death;
mod in_hand;
mod items;
mod median_limit;
mod relief;
mod restored;
mod rig;
mod robust;
mod scale;
mod signalling;
mod start_gate;
mod starts;
mod steering;
mod stop;

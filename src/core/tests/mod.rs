//! Tests of the core, a file for each feature: a script of facts, and the orders that must follow, as text.

mod contract;
mod death;
mod items;
mod restored;
mod rig;
mod robust;
mod scale;
mod starts;
mod stop;

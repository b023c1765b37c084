//! The core by its features: a script of facts, and the orders that must follow, in words.

mod death;
mod items;
mod rig;
mod robust;
mod stop;

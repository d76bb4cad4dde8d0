pub mod section;

//! The chats: fakes that hold every rule that their pages state take hundreds of events each,
//! and what they refuse is told and paced as it should be.

mod answers;
mod digest;
mod limits;
mod robot;
mod settings;

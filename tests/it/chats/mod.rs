//! The five chats: fakes that hold every rule that their pages state take a thousand events each,
//! and what they refuse is told and paced as it should be.

mod answers;
mod limits;
mod robot;
mod settings;

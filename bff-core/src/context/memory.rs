//! What one request has already been told, so that asking twice is one call.

use std::any::Any;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::PartId;

/// More different calls than this are not remembered: a page that makes them is a list join, whose keys differ.
const MOST: usize = 256;

/// The answers of the calls that this request has made, by the text of their key. Safe calls only.
#[derive(Debug, Default)]
pub struct Memory(Mutex<Vec<Asked>>);

#[derive(Debug)]
struct Asked {
    key: Arc<str>,
    by: Option<PartId>,
    answer: Option<Arc<dyn Any + Send + Sync>>,
}

impl Memory {
    fn asked(&self) -> MutexGuard<'_, Vec<Asked>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that `by` asks for `key`. Says who asked first, and the answer if it is there.
    pub fn ask<T: Any + Send + Sync>(&self, key: &Arc<str>, by: Option<PartId>) -> (Option<PartId>, Option<Arc<T>>) {
        let mut asked = self.asked();
        if let Some(earlier) = asked.iter().find(|earlier| earlier.key == *key) {
            let answer = earlier.answer.clone().and_then(|answer| answer.downcast::<T>().ok());
            return (earlier.by, answer);
        }
        if asked.len() < MOST {
            asked.push(Asked { key: key.clone(), by, answer: None });
        }
        (by, None)
    }

    /// Keeps the answer to `key` for the rest of the request.
    pub fn remember(&self, key: &Arc<str>, answer: Arc<dyn Any + Send + Sync>) {
        if let Some(asked) = self.asked().iter_mut().find(|asked| asked.key == *key) {
            asked.answer = Some(answer);
        }
    }

    /// Forgets everything: a write has changed the world.
    pub fn clear(&self) {
        self.asked().clear();
    }
}

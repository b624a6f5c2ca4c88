//! What a text ends in, at each of its bytes: a form, or the beginning of one.
//!
//! One pass finds both, in time that grows with the text alone, however often a form is found, and however much of a form is the same letter
//! again and again.

use super::forms::Form;
use aho_corasick::Anchored;
use aho_corasick::automaton::{Automaton, StateID};
use aho_corasick::nfa::noncontiguous::NFA;

/// What a text ends in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Ending {
    whole: u32,
    piece: u32,
    /// Whether the character before the longest form has bits of it.
    pub(super) before: bool,
    /// Whether the character after one of the forms has.
    pub(super) after: bool,
}

impl Ending {
    /// How long the longest form is that ends here. None if none does.
    pub(super) fn whole(self) -> Option<usize> {
        (self.whole > 0).then_some(self.whole as usize)
    }

    /// How long the longest piece is that a form begins with and goes on after, if it has at least so many bytes.
    pub(super) fn piece(self, least: usize) -> Option<usize> {
        Some(self.piece as usize).filter(|piece| *piece >= least)
    }
}

/// Forms to look for.
pub(super) struct Endings {
    automaton: NFA,
    root: StateID,
    /// The bytes with which forms begin.
    first: [bool; 256],
    /// What a text ends in, for each state.
    of: Vec<Ending>,
    longest: usize,
}

impl Endings {
    /// Looks for these forms.
    pub(super) fn new(forms: &[Form]) -> Self {
        // No form ends in a state that another goes on from: the automaton would note for each state all forms that end in it, which may be
        // very many. `of` has the longest alone.
        let closed = forms.iter().map(|form| [&form.text[..], &[CLOSE]].concat());
        let automaton = NFA::builder().prefilter(false).build(closed);
        let automaton = automaton.expect("secrets are far shorter than the 2 GiB that a search can hold");
        let root = automaton.start_state(Anchored::No).expect("it can begin anywhere");
        let mut first = [false; 256];
        forms.iter().filter_map(|form| form.text.first()).for_each(|byte| first[usize::from(*byte)] = true);
        let longest = forms.iter().map(|form| form.text.len()).max().unwrap_or(0);
        let mut endings = Self { automaton, root, first, of: Vec::new(), longest };
        endings.fill(forms);
        endings
    }

    /// Takes all forms one byte further at a time, so that what a state's text ends in is known when it is needed for a longer one.
    fn fill(&mut self, forms: &[Form]) {
        let mut walks: Vec<(&Form, StateID, StateID)> = forms.iter().map(|form| (form, self.root, self.root)).collect();
        for depth in 1..=self.longest {
            walks.retain(|(form, _, _)| form.text.len() >= depth);
            for (form, state, shorter) in &mut walks {
                let byte = form.text[depth - 1];
                *state = self.next(*state, byte);
                // What is longest after the first byte.
                *shorter = if depth > 1 { self.next(*shorter, byte) } else { self.root };
                self.note(*state, *shorter, (form, depth));
            }
        }
    }

    /// Notes what a form has at this depth; else what the shorter text of the same state has.
    fn note(&mut self, state: StateID, shorter: StateID, (form, depth): (&Form, usize)) {
        let at = state.as_usize();
        self.of.resize(self.of.len().max(at + 1), Ending::default());
        let shorter = self.of.get(shorter.as_usize()).copied().unwrap_or_default();
        let length = u32::try_from(depth).expect("a search holds less than 2 GiB");
        let is_whole = depth == form.text.len();
        let ending = &mut self.of[at];
        if ending.whole < length {
            let (whole, before) = if is_whole { (length, form.before) } else { (shorter.whole, shorter.before) };
            (ending.whole, ending.before) = (whole, before);
        } else if is_whole {
            ending.before |= form.before;
        }
        ending.after |= shorter.after || (is_whole && form.after);
        // The next character of base64 holds only some bits of it.
        let goes_on = !is_whole || form.after;
        ending.piece = ending.piece.max(if goes_on { length } else { shorter.piece });
    }

    fn next(&self, state: StateID, byte: u8) -> StateID {
        let is_idle = byte == CLOSE || (state == self.root && !self.first[usize::from(byte)]);
        if is_idle { self.root } else { self.automaton.next_state(Anchored::No, state, byte) }
    }

    /// What the text ends in, after each byte.
    pub(super) fn after_each(&self, text: impl Iterator<Item = u8>) -> impl Iterator<Item = Ending> {
        text.scan(self.root, |state, byte| {
            *state = self.next(*state, byte);
            Some(if *state == self.root { Ending::default() } else { self.of[state.as_usize()] })
        })
    }

    /// What the text ends in.
    pub(super) fn at_end_of(&self, text: &[u8]) -> Ending {
        let from = text.len().saturating_sub(self.longest);
        self.after_each(text[from..].iter().copied()).last().unwrap_or_default()
    }

    /// How many bytes the longest form has.
    pub(super) fn longest(&self) -> usize {
        self.longest
    }
}

/// A byte that no form has.
const CLOSE: u8 = 0xff;

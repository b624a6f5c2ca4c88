//! Operators whose operands are measured before they are applied.
//!
//! minijinja offers no hook for operators. It compiles a template to instructions, though, and runs any that it is given. So each operator
//! that might get a list becomes a jump to a detour behind the last instruction, where a filter looks at the operands first. The instructions
//! of minijinja are not part of its stable interface, so its version is pinned.
//!
//! Other ways were not good enough: a limit on memory is noticed by an allocator, which can only abort; what an operator gets is known at
//! run time alone, so no check of the text can tell `total + size` from a list that doubles; and a rewritten text has other places in
//! errors.

use super::environment::template_of;
use super::measured::{CHANGE, COMPARE, JOIN, KEPT, KEYS, LOOK_UP, SLICE, WRITE};
use minijinja::machinery::{Instruction, Instructions, eval, get_compiled_template, make_string_output};
use minijinja::value::{Value, ValueKind};
use minijinja::{AutoEscape, Environment, Error, State};
use std::collections::{BTreeMap, BTreeSet};

/// What a rendering of a template leaves.
pub(super) enum Wanted {
    /// The text.
    Text,
    /// The value of its only expression.
    Value,
}

/// What happens to the operands of a template. It is the same each time it is rendered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operands {
    /// They are taken as they are.
    Free,
    /// Some of them are measured.
    Measured,
}

impl Operands {
    /// What happens to those of the only template of an environment.
    pub(super) fn of(env: &Environment<'static>) -> Self {
        let places = measured(&get_compiled_template(&template_of(env)).instructions);
        if places.is_empty() { Self::Free } else { Self::Measured }
    }
}

/// Renders the only template of an environment, and lets `finish` take its text, the value of its only expression if that is wanted, and
/// what formatters and filters have left.
pub(super) fn render<T>(
    (env, operands): (&Environment<'static>, Operands),
    context: Value,
    wanted: &Wanted,
    finish: impl FnOnce(String, Option<Value>, &State<'_, '_>) -> T,
) -> Result<T, Error> {
    let template = template_of(env);
    let compiled = get_compiled_template(&template);
    let detoured = match operands {
        Operands::Free => None,
        Operands::Measured => Some(detoured(&compiled.instructions, wanted)),
    };
    let instructions = detoured.as_ref().unwrap_or(&compiled.instructions);
    let mut text = String::with_capacity(compiled.buffer_size_hint);
    let (value, state) = {
        let mut out = make_string_output(&mut text);
        eval(env, instructions, context, &compiled.blocks, &mut out, AutoEscape::None)?
    };
    Ok(finish(text, value, &state))
}

/// The instructions with their detours.
fn detoured<'env>(code: &Instructions<'env>, wanted: &Wanted) -> Instructions<'env> {
    let places = measured(code);
    // After the last instruction comes a jump over the detours to the end.
    let first_detour = length(code) + 1;
    let starts = places.iter().scan(first_detour, |next, place| {
        let start = *next;
        *next += place.detour_length();
        Some((place.at, start))
    });
    let starts: BTreeMap<u32, u32> = starts.collect();
    let end = first_detour + places.iter().map(Place::detour_length).sum::<u32>();
    let mut copy = Instructions::new(code.name(), code.source());
    for (at, instruction) in all(code) {
        let instruction = match (starts.get(&at), instruction) {
            (Some(start), _) => Instruction::Jump(*start),
            // What it would write stays.
            (None, Instruction::Emit) if matches!(wanted, Wanted::Value) => Instruction::Jump(end),
            (None, instruction) => instruction.clone(),
        };
        add(&mut copy, instruction, code, at);
    }
    copy.add(Instruction::Jump(end));
    for place in places {
        for instruction in place.detour(starts[&place.at]) {
            add(&mut copy, instruction, code, place.at);
        }
    }
    copy
}

/// Adds an instruction with the place in the text of one in `code`.
fn add<'env>(copy: &mut Instructions<'env>, instruction: Instruction<'env>, code: &Instructions<'env>, at: u32) {
    match (code.get_span(at), code.get_line(at).and_then(|line| u16::try_from(line).ok())) {
        (Some(span), _) => copy.add_with_span(instruction, span),
        (None, Some(line)) => copy.add_with_line(instruction, line),
        (None, None) => copy.add(instruction),
    };
}

/// All instructions, with their numbers.
fn all<'c, 'env>(code: &'c Instructions<'env>) -> impl Iterator<Item = (u32, &'c Instruction<'env>)> {
    (0..).map_while(|at| Some((at, code.get(at)?)))
}

fn length(code: &Instructions<'_>) -> u32 {
    all(code).last().map_or(0, |(at, _)| at + 1)
}

/// An operator whose operands have to be measured, and the filter that does.
struct Place<'env> {
    at: u32,
    operator: Instruction<'env>,
    /// How many values it takes from the stack.
    operands: usize,
    filter: &'static str,
}

impl<'env> Place<'env> {
    fn detour_length(&self) -> u32 {
        self.detour(0).len().try_into().expect("a detour has a dozen instructions")
    }

    /// What to do instead of the operator, if it begins at instruction `start`. The operands are on the stack.
    fn detour(&self, start: u32) -> Vec<Instruction<'env>> {
        let back = Instruction::Jump(self.at + 1);
        let apply = Instruction::ApplyFilter(self.filter, Some(1), !0);
        let mut detour = vec![Instruction::BuildList(Some(self.operands))];
        if self.filter == JOIN {
            // The filter returns a list that holds the joined list, or is empty if the operands aren't lists. Unpacking reverses a list.
            let joined = start + 8;
            detour.extend([Instruction::DupTop, apply, Instruction::JumpIfTrueOrPop(joined)]);
            detour.extend([Instruction::UnpackList(2), Instruction::Swap, self.operator.clone(), back.clone()]);
            detour.extend([Instruction::Swap, Instruction::DiscardTop, Instruction::UnpackList(1), back]);
        } else {
            detour.extend([apply, Instruction::UnpackList(self.operands), self.operator.clone()]);
            detour.extend((self.filter == SLICE).then_some(Instruction::ApplyFilter(KEPT, Some(1), !0)));
            detour.push(back);
        }
        detour
    }
}

/// What is known of a value before a template is rendered.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Known {
    Nothing,
    /// It is neither list nor mapping, and who made it has paid for its length.
    Plain,
    /// The same, and it is a short text or a small number.
    Short,
}

/// The operators that may get a list, a mapping or a long text where that matters. Most don't: an operand is often a number or a string of the
/// template, or what another operator gave.
fn measured<'env>(code: &Instructions<'env>) -> Vec<Place<'env>> {
    let targets: BTreeSet<u32> = all(code).filter_map(|(_, instruction)| target(instruction)).collect();
    // What is known of the values on the stack. It ends with the topmost value; of those before the first one, nothing is known.
    let mut stack: Vec<Known> = Vec::new();
    let mut places = Vec::new();
    for (at, operator) in all(code) {
        if targets.contains(&at) {
            stack.clear();
        }
        let known = |from_top: usize| stack.iter().rev().nth(from_top).copied().unwrap_or(Known::Nothing);
        let found = match operator {
            Instruction::BuildMap(pairs) if (0..*pairs).any(|pair| known(2 * pair + 1) == Known::Nothing) => {
                Some((2 * pairs, KEYS))
            }
            Instruction::CallMethod("changed", Some(values)) => Some((usize::from(*values), CHANGE)),
            Instruction::Slice => Some((4, SLICE)),
            _ => filter_for(operator, [known(1), known(0)]).map(|filter| (2, filter)),
        };
        if let Some((operands, filter)) = found {
            places.push(Place { at, operator: operator.clone(), operands, filter });
        }
        match effect(operator, [known(1), known(0)]) {
            Some((taken, given)) => {
                stack.truncate(stack.len().saturating_sub(taken));
                stack.push(given);
            }
            None => stack.clear(),
        }
    }
    places
}

/// The filter that measures the operands, if that is necessary.
fn filter_for(operator: &Instruction<'_>, [first, second]: [Known; 2]) -> Option<&'static str> {
    let (any_is_plain, all_are_plain) = (first.max(second) > Known::Nothing, first.min(second) > Known::Nothing);
    match operator {
        Instruction::Add if !any_is_plain => Some(JOIN),
        Instruction::StringConcat if !all_are_plain => Some(WRITE),
        Instruction::GetItem if second < Known::Short => Some(LOOK_UP),
        // A short value is found in a list, or not, at the first look at each element.
        Instruction::In | Instruction::CompareAndPreserve(_) if first < Known::Short => Some(COMPARE),
        Instruction::Eq | Instruction::Ne | Instruction::Lt | Instruction::Lte | Instruction::Gt | Instruction::Gte
            if !any_is_plain =>
        {
            Some(COMPARE)
        }
        _ => None,
    }
}

/// How many values an instruction takes from the stack, and what is known of the one that it leaves. None if that is not known.
fn effect(instruction: &Instruction<'_>, [first, second]: [Known; 2]) -> Option<(usize, Known)> {
    Some(match instruction {
        Instruction::LoadConst(value) => (0, constant(value)),
        Instruction::Lookup(_) => (0, Known::Nothing),
        Instruction::GetAttr(_) => (1, Known::Nothing),
        Instruction::GetItem | Instruction::Mul => (2, Known::Nothing),
        Instruction::Add => (2, first.max(second).min(Known::Plain)),
        Instruction::Neg | Instruction::Not => (1, Known::Plain),
        Instruction::StringConcat
        | Instruction::Sub
        | Instruction::Div
        | Instruction::IntDiv
        | Instruction::Rem
        | Instruction::Pow
        | Instruction::Eq
        | Instruction::Ne
        | Instruction::Lt
        | Instruction::Lte
        | Instruction::Gt
        | Instruction::Gte
        | Instruction::In => (2, Known::Plain),
        _ => return None,
    })
}

/// What is known of a value that the template has.
fn constant(value: &Value) -> Known {
    match (value.kind(), value.as_str(), value.as_usize()) {
        (ValueKind::String, Some(text), _) if text.len() <= SHORT => Known::Short,
        (ValueKind::Number, _, Some(number)) if number <= SHORT => Known::Short,
        (ValueKind::Bool, ..) => Known::Short,
        (ValueKind::String | ValueKind::Number, ..) => Known::Plain,
        _ => Known::Nothing,
    }
}

/// The length of a text and the size of a number that cost nothing.
const SHORT: usize = 1 << 10;

/// Where an instruction may jump to.
fn target(instruction: &Instruction<'_>) -> Option<u32> {
    match instruction {
        Instruction::Jump(target)
        | Instruction::JumpIfFalse(target)
        | Instruction::JumpIfFalseOrPop(target)
        | Instruction::JumpIfTrueOrPop(target)
        | Instruction::Iterate(target) => Some(*target),
        _ => None,
    }
}

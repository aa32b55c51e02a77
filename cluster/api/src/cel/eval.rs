//! Expressions to values.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::rc::Rc;

use super::parse::{Expr, Fold, Kind};
use super::value::{Cel, fault};
use super::{Budget, CelError, functions};

pub(super) struct Eval<'a, 'b> {
    /// The variables, the innermost last.
    pub(super) scope: Vec<(&'a str, Cel<'a>)>,
    pub(super) budget: &'b mut Budget,
}

type Answer<'a> = Result<Cel<'a>, CelError>;

impl<'a> Eval<'a, '_> {
    pub(super) fn value(&mut self, expr: &'a Expr) -> Answer<'a> {
        self.budget.spend(1)?;
        match expr {
            Expr::Null => Ok(Cel::Null),
            Expr::Bool(value) => Ok(Cel::Bool(*value)),
            Expr::Int(value) => Ok(Cel::Int(*value)),
            Expr::Uint(value) => Ok(Cel::Uint(*value)),
            Expr::Double(value) => Ok(Cel::Double(*value)),
            Expr::Text(text) => Ok(Cel::Text(Cow::Borrowed(text))),
            Expr::Name(name) => self.variable(name),
            Expr::List(items) => self.values(items).map(Cel::list),
            Expr::Map(pairs) => self.map(pairs),
            Expr::Field(of, name) => self.field(of, name),
            Expr::Has(of, name) => {
                let of = self.value(of)?;
                let found = of.get(&Cel::Text(Cow::Borrowed(name)));
                Ok(Cel::Bool(found.is_some_and(|it| !matches!(it, Cel::Null))))
            }
            Expr::Index(of, index) => self.index(of, index),
            Expr::Not(inner) => self.truth(inner).map(|value| Cel::Bool(!value)),
            Expr::Negative(inner) => match self.value(inner)? {
                Cel::Int(value) => value.checked_neg().map(Cel::Int).map_or_else(|| fault("integer overflow"), Ok),
                Cel::Double(value) => Ok(Cel::Double(-value)),
                _ => fault("no such overload"),
            },
            Expr::And(left, right) => self.either(left, right, false),
            Expr::Or(left, right) => self.either(left, right, true),
            Expr::Choice(test, yes, no) => {
                if self.truth(test)? {
                    self.value(yes)
                } else {
                    self.value(no)
                }
            }
            Expr::Binary(operator, left, right) => {
                let (left, right) = (self.value(left)?, self.value(right)?);
                self.binary(operator, &left, &right)
            }
            Expr::Call(name, arguments) => {
                let arguments = self.values(arguments)?;
                functions::call(name, &arguments, self.budget)
            }
            Expr::Fold(fold) => self.fold(fold),
        }
    }

    fn values(&mut self, items: &'a [Expr]) -> Result<Vec<Cel<'a>>, CelError> {
        items.iter().map(|item| self.value(item)).collect()
    }

    fn truth(&mut self, expr: &'a Expr) -> Result<bool, CelError> {
        match self.value(expr)? {
            Cel::Bool(value) => Ok(value),
            _ => fault("no such overload"),
        }
    }

    fn variable(&self, name: &str) -> Answer<'a> {
        if let Some((_, value)) = self.scope.iter().rev().find(|(own, _)| *own == name) {
            return Ok(value.clone());
        }
        match functions::TYPES.into_iter().find(|own| *own == name) {
            Some(name) => Ok(Cel::Type(name)),
            None => fault(format!("undeclared reference to '{name}'")),
        }
    }

    fn map(&mut self, pairs: &'a [(Expr, Expr)]) -> Answer<'a> {
        let pairs = pairs.iter().map(|(key, value)| Ok((self.value(key)?, self.value(value)?)));
        Ok(Cel::Map(Rc::new(pairs.collect::<Result<_, CelError>>()?)))
    }

    fn field(&mut self, of: &'a Expr, name: &'a str) -> Answer<'a> {
        let of = self.value(of)?;
        of.get(&Cel::Text(Cow::Borrowed(name))).map_or_else(|| fault(format!("no such key: {name}")), Ok)
    }

    fn index(&mut self, of: &'a Expr, index: &'a Expr) -> Answer<'a> {
        let (of, index) = (self.value(of)?, self.value(index)?);
        let at = match (&of, &index) {
            (Cel::Object(_) | Cel::Map(_), _) => {
                let shown = functions::shown(&index).unwrap_or_default();
                return of.get(&index).map_or_else(|| fault(format!("no such key: {shown}")), Ok);
            }
            (_, Cel::Int(at)) => usize::try_from(*at).ok(),
            (_, Cel::Uint(at)) => usize::try_from(*at).ok(),
            _ => None,
        };
        let found = match (&of, at) {
            (Cel::Array(items), Some(at)) => items.get(at).map(Cel::from_json),
            (Cel::List(items), Some(at)) => items.get(at).cloned(),
            _ => None,
        };
        found.map_or_else(|| fault("index out of bounds"), Ok)
    }

    /// `&&` and `||`: one side that decides is enough, whatever is wrong with the other.
    fn either(&mut self, left: &'a Expr, right: &'a Expr, decides: bool) -> Answer<'a> {
        let left = self.truth(left);
        match left {
            Ok(value) if value == decides => return Ok(Cel::Bool(decides)),
            Err(CelError::Budget) => return Err(CelError::Budget),
            _ => {}
        }
        match self.truth(right) {
            Ok(value) if value == decides => Ok(Cel::Bool(decides)),
            Ok(value) => left.map(|_| Cel::Bool(value)),
            Err(error) => left.and(Err(error)),
        }
    }

    fn binary(&mut self, operator: &str, left: &Cel<'a>, right: &Cel<'a>) -> Answer<'a> {
        let ordered = |test: fn(Ordering) -> bool| match left.order(right) {
            Some(order) => Ok(Cel::Bool(test(order))),
            None => fault("no such overload"),
        };
        match operator {
            "==" => left.equals(right, self.budget).map(Cel::Bool),
            "!=" => left.equals(right, self.budget).map(|same| Cel::Bool(!same)),
            "<" => ordered(Ordering::is_lt),
            "<=" => ordered(Ordering::is_le),
            ">" => ordered(Ordering::is_gt),
            ">=" => ordered(Ordering::is_ge),
            "in" => self.within(left, right).map(Cel::Bool),
            operator => functions::arithmetic(operator, left, right, self.budget),
        }
    }

    fn within(&mut self, value: &Cel<'a>, container: &Cel<'a>) -> Result<bool, CelError> {
        if matches!(container, Cel::Object(_) | Cel::Map(_)) {
            return Ok(container.get(value).is_some());
        }
        let Some(items) = container.items() else { return fault("no such overload") };
        for item in &items {
            if item.equals(value, self.budget)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn fold(&mut self, fold: &'a Fold) -> Answer<'a> {
        let over = self.value(&fold.over)?;
        let items = match &over {
            Cel::Object(_) | Cel::Map(_) => over.keys(),
            list => list.items().map_or_else(|| fault("no such overload"), Ok)?,
        };
        self.budget.spend(items.len())?;
        let (mut kept, mut count, mut failure) = (Vec::new(), 0, None);
        for item in items {
            self.scope.push((&fold.name, item.clone()));
            let outcome = self.element(fold, item);
            self.scope.pop();
            match (fold.kind, outcome) {
                (_, Err(CelError::Budget)) => return Err(CelError::Budget),
                (Kind::All, Ok(Some(Cel::Bool(false)))) => return Ok(Cel::Bool(false)),
                (Kind::Exists, Ok(Some(Cel::Bool(true)))) => return Ok(Cel::Bool(true)),
                // An element that decides is enough, whatever is wrong with others.
                (Kind::All | Kind::Exists, Err(error)) => failure = Some(error),
                (_, Err(error)) => return Err(error),
                (Kind::ExistsOne, Ok(Some(Cel::Bool(true)))) => count += 1,
                (Kind::Filter | Kind::Map, Ok(Some(value))) => kept.push(value),
                (_, Ok(_)) => {}
            }
        }
        match (fold.kind, failure) {
            (_, Some(error)) => Err(error),
            (Kind::All, None) => Ok(Cel::Bool(true)),
            (Kind::Exists, None) => Ok(Cel::Bool(false)),
            (Kind::ExistsOne, None) => Ok(Cel::Bool(count == 1)),
            (Kind::Filter | Kind::Map, None) => Ok(Cel::list(kept)),
        }
    }

    /// What a macro makes of one element: a truth, or what is kept of it.
    fn element(&mut self, fold: &'a Fold, item: Cel<'a>) -> Result<Option<Cel<'a>>, CelError> {
        match (fold.kind, &fold.then) {
            (Kind::Map, None) => self.value(&fold.body).map(Some),
            (Kind::Map, Some(then)) => {
                if self.truth(&fold.body)? {
                    self.value(then).map(Some)
                } else {
                    Ok(None)
                }
            }
            (Kind::Filter, _) => Ok(self.truth(&fold.body)?.then_some(item)),
            _ => self.truth(&fold.body).map(|value| Some(Cel::Bool(value))),
        }
    }
}

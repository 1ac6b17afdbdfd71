"""What in a role outlives the hour: recognised by its rules, never by its name (DESIGN section 4.7)."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from jitaccess.domain.dangers import DANGERS
from jitaccess.domain.effects import Effect, Rights
from jitaccess.domain.hinting import hints_of
from jitaccess.domain.hints import EVERYWHERE, HINTS
from jitaccess.domain.roles import Role, Rule, ShownRole, shown_role


@dataclass(frozen=True, slots=True)
class RiskTable:
    """What is known of rights: those that outlive a grant (refused unless the policy accepts them), and those to hint at.

    Writing anything else that does not come with Kubernetes is hinted at too, unless it is known to be harmless.
    """

    dangers: tuple[Effect, ...] = DANGERS
    hints: tuple[Effect, ...] = HINTS
    harmless: tuple[Effect, ...] = ()

    def for_access(self, *, everywhere: bool) -> "RiskTable":
        """The table for access to one namespace, or to all of them, ours too."""
        return replace(self, hints=(*self.hints, *EVERYWHERE)) if everywhere else self

    def risks_of(self, rules: Iterable[Rule]) -> tuple[str, ...]:
        """What these rules allow that outlives a grant, in words, each once; empty for a harmless role."""
        rights = [Rights.of(rule) for rule in rules]
        return tuple(dict.fromkeys(danger.words for danger in self.dangers if any(danger.allowed_by(each) for each in rights)))

    def hints_for(self, rules: Iterable[Rule]) -> tuple[str, ...]:
        """What these rules allow that may outlive a grant, in words, in an order that the order of the rules does not change."""
        return hints_of(map(Rights.of, rules), self.hints, (*self.dangers, *self.harmless))

    def shown(self, role: Role) -> ShownRole:
        """What to show of a role: its rules, its risks and its hints, compact, legible and bounded."""
        return shown_role(role, self.risks_of(role.rules), self.hints_for(role.rules))


KNOWN = RiskTable()

"""What in a role outlives the hour: recognised by its rules, never by its name (DESIGN section 4.7)."""

from collections.abc import Iterable
from dataclasses import dataclass

from jitaccess.domain.dangers import DANGERS
from jitaccess.domain.effects import Effect
from jitaccess.domain.roles import Role, Rule, ShownRole, shown_role


@dataclass(frozen=True, slots=True)
class RiskTable:
    """What is known of rights: those that outlive a grant (refused unless the policy accepts them), and those to hint at."""

    dangers: tuple[Effect, ...] = DANGERS
    hints: tuple[Effect, ...] = ()

    def risks_of(self, rules: Iterable[Rule]) -> tuple[str, ...]:
        """What these rules allow that outlives a grant, in words, each once; empty for a harmless role."""
        return _words(self.dangers, rules)

    def hints_for(self, rules: Iterable[Rule]) -> tuple[str, ...]:
        """What these rules allow that may outlive a grant, in words, each once."""
        return _words(self.hints, rules)

    def shown(self, role: Role) -> ShownRole:
        """What to show of a role: its rules, its risks and its hints, compact, legible and bounded."""
        return shown_role(role, self.risks_of(role.rules), self.hints_for(role.rules))


KNOWN = RiskTable()


def _words(effects: Iterable[Effect], rules: Iterable[Rule]) -> tuple[str, ...]:
    known = tuple(rules)
    return tuple(dict.fromkeys(effect.words for effect in effects if any(effect.allowed_by(rule) for rule in known)))

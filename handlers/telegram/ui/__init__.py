"""Everything people see: answers, cards, codes and keyboards."""

import { capitalized } from '../format.ts';
import { countLints, foundText, groupLints, lintsShown } from '../lints.ts';
import type { LintGroup } from '../lints.ts';
import { markup, withCode } from '../markup.ts';
import type { Markup } from '../markup.ts';
import type { Report } from '../report.ts';

/** Of cells or branches side by side, what concerns others than the best is folded. */
export function lintList(report: Report): Markup {
  const { here, elsewhere } = lintsShown(report);
  const others = groupLints(elsewhere);
  return markup`${listOf(groupLints(here))}${
    others.length === 0
      ? null
      : markup`<details><summary>${countLints(others)} on other ${report.matrix === undefined ? 'branches' : 'cells'}</summary>${listOf(others)}</details>`
  }`;
}

function listOf(groups: readonly LintGroup[]): Markup | null {
  if (groups.length === 0) return null;
  return markup`<ul class="lints">${groups.map((group) => {
    const { severity, code, expected, remedy } = group.worst;
    return markup`
<li class="${severity}"><span class="code">${severity} <code>${code}</code></span>${withCode(foundText(group))}${
      expected === null ? '.' : markup`; expected ${withCode(expected)}.`
    }${remedy === null ? null : markup` <span class="remedy">${withCode(capitalized(remedy))}.</span>`}${
      group.others.length === 0
        ? null
        : markup`<details><summary>all ${group.others.length + 1}</summary><ul>${[group.worst, ...group.others].map(
            ({ layer, found }) => markup`<li><strong>${layer ?? ''}</strong> ${found}</li>`,
          )}</ul></details>`
    }</li>`;
  })}
</ul>`;
}

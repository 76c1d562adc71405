import { capitalized } from '../format.ts';
import { foundText, groupLints, lintsShown } from '../lints.ts';
import { markup, withCode } from '../markup.ts';
import type { Markup } from '../markup.ts';
import type { Report } from '../report.ts';

export function lintList(report: Report): Markup {
  return markup`<ul class="lints">${groupLints(lintsShown(report)).map((group) => {
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

import { markup } from './markup.ts';
import { page } from './page.ts';
import { sideBySide } from './report.ts';
import type { Report } from './report.ts';
import { cellsSection } from './sections/cells.ts';
import { lineSections } from './sections/lines.ts';
import { matrixSection } from './sections/matrix-page.ts';
import { provenanceSection } from './sections/provenance.ts';
import { quantizationsSection } from './sections/quantizations.ts';
import { section } from './sections/section.ts';
import { headSection } from './sections/verdict.ts';

/** `report.html`: one page that opens from disk without a network. Equal reports give equal bytes. */
export function renderReport(report: Report): string {
  const cells = sideBySide(report);
  const noun = report.matrix === undefined ? 'branch' : 'cell';
  const sections = [
    ...(cells === undefined
      ? lineSections(report)
      : [
          section(
            report.matrix === undefined ? 'branches' : 'matrix',
            report.matrix === undefined ? 'Branches' : 'Matrix',
            matrixSection(cells, noun, report.gates),
          ),
          section('quantizations', 'PTQ or QAT', quantizationsSection(report.quantizations)),
          section('cells', `Each ${noun}`, cellsSection(report, cells, noun)),
        ]),
    section('provenance', 'Provenance', provenanceSection(report)),
  ].filter((part) => part !== null);
  return page(
    `${report.run.pipeline} \u2013 qpipe report`,
    markup`${headSection(report)}
<nav>${sections.map(({ id, title }) => markup`<a href="#${id}">${title}</a>`)}</nav>
${sections.map(
  ({ id, title, body }) => markup`<section id="${id}"><h2>${title}</h2>
${body}</section>
`,
)}`,
  );
}

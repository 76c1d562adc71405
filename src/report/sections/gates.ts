import type { Column } from '../page.ts';
import { gateNumber } from '../gate-text.ts';
import type { Report, ReportGate } from '../report.ts';
import { mark } from './mark.ts';

export function gateColumns(report: Report): Column<ReportGate>[] {
  const columns: Column<ReportGate>[] = [
    { head: 'Gate', kind: 'text', cell: (gate) => gate.name },
    {
      head: 'Value',
      kind: 'number',
      cell: ({ value, unit }) => (value === null ? 'not measured' : gateNumber(value, unit)),
    },
    {
      head: 'Limit',
      kind: 'number',
      cell: ({ rule, limit, unit }) => `${rule === 'at_least' ? '\u2265' : '\u2264'} ${gateNumber(limit, unit)}`,
    },
    { head: 'Result', kind: 'number', cell: ({ ok }) => mark(ok ? 'good' : 'bad', ok ? 'met' : 'not met') },
  ];
  if (report.tests.length > 1) columns.splice(1, 0, { head: 'Stage', kind: 'text', cell: ({ stage }) => stage });
  return columns;
}

/** Zooming and reading off values: uPlot draws the data of curves again where scripts run. */
import { readFileSync } from 'node:fs';
import { packageFile } from '../../core/package-file.ts';
import { trustedMarkup } from '../markup.ts';
import type { Markup } from '../markup.ts';

/** The scripts and the style that curves need; the build puts uPlot beside them. */
export function zooming(): Markup {
  const library = readFileSync(packageFile('dist/report/uplot.js'), 'utf8');
  const style = readFileSync(packageFile('dist/report/uplot.css'), 'utf8');
  return trustedMarkup(`<style>${style}${ownStyle}</style>
<script>${library}</script>
<script>${script}</script>`);
}

const ownStyle = `
.curves.live>svg,.curves.live .legend{display:none}
.curves .uplot{width:100%;font-family:inherit}.curves .u-legend{font-size:.78rem;text-align:left;color:var(--muted);margin:0}
.curves .u-legend th{font-weight:400}.curves .u-inline .u-series th::after{content:''}.curves .u-legend td{color:var(--ink)}.curves .u-select{background:var(--muted);opacity:.2}
.curves .u-inline tr{margin-right:10px}.curves .u-series>*{padding:2px;border:0}
@media print{.curves .uplot{display:none}.curves.live>svg{display:block}.curves.live .legend{display:flex}}
`;

/** Narrow figures keep the drawing: labels of its marks would not fit. */
const script = `
(() => {
  const narrowest = 420;
  const lane = 15;
  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const short = (value) => value == null ? '' : value !== 0 && Math.abs(value) < 1e-3
    ? Number(value.toPrecision(3)).toExponential() : String(Number(value.toPrecision(4)));
  const figures = [...document.querySelectorAll('figure.curves')];
  const plots = new Map();

  function marksOf(data) {
    return (plot) => {
      const { ctx, bbox } = plot;
      const ratio = devicePixelRatio;
      ctx.save();
      ctx.strokeStyle = css('--ink');
      ctx.fillStyle = css('--ink');
      ctx.lineWidth = ratio;
      ctx.font = 11 * ratio + 'px system-ui, sans-serif';
      for (const { x, label, anchor, lane: at } of data.marks) {
        const left = plot.valToPos(x, 'x', true);
        if (left < bbox.left || left > bbox.left + bbox.width) continue;
        const top = bbox.top - (lane * at + 2) * ratio;
        ctx.setLineDash([3 * ratio, 3 * ratio]);
        ctx.globalAlpha = 0.65;
        ctx.beginPath();
        ctx.moveTo(left, top);
        ctx.lineTo(left, bbox.top + bbox.height);
        ctx.stroke();
        ctx.globalAlpha = 1;
        ctx.textAlign = anchor;
        ctx.fillText(label, left, top - 3 * ratio);
      }
      ctx.restore();
    };
  }

  function seriesOf({ name, color, kind }, part, text) {
    const stroke = () => css('--c' + color);
    if (part === 'raw') {
      const pale = () => 'color-mix(in srgb,' + css('--c' + color) + ' 30%,' + css('--paper') + ')';
      return { label: name + ', batch', stroke: pale, width: 1, spanGaps: true, value: (_, value) => text(value),
        points: { show: false } };
    }
    const dots = kind === 'points';
    return { label: name, stroke, width: dots ? 0.5 : 1.8, spanGaps: true, value: (_, value) => text(value),
      points: { show: dots, size: 6, stroke, fill: stroke } };
  }

  function draw(figure) {
    plots.get(figure)?.destroy();
    plots.delete(figure);
    const { width } = figure.getBoundingClientRect();
    figure.classList.toggle('live', width >= narrowest);
    if (width < narrowest) return;
    const data = JSON.parse(figure.dataset.curves);
    const text = (value) => value == null ? '' : data.percent ? short(100 * value) + ' %' : short(value);
    const decades = (_, axis, low, high) => {
      const found = [];
      for (let at = Math.ceil(Math.log10(low) - 1e-9); at <= Math.log10(high) + 1e-9; at++) found.push(Number('1e' + at));
      return found;
    };
    const tables = [];
    const series = [{ label: data.x, value: (_, value) => value == null ? '' : String(Math.round(value)) }];
    for (const one of data.series) {
      if (one.line !== null) {
        tables.push([one.x, one.y]);
        series.push(seriesOf(one, 'raw', text));
      }
      tables.push(one.line === null ? [one.x, one.y] : [one.line.x, one.line.y]);
      series.push(seriesOf(one, 'line', text));
    }
    const lanes = 1 + Math.max(-1, ...data.marks.map((mark) => mark.lane));
    const axis = (label, size) => ({ label, size, labelSize: 18, labelFont: '12px system-ui', font: '11px system-ui',
      stroke: () => css('--muted'), grid: { stroke: () => css('--line'), width: 1 }, ticks: { show: false } });
    plots.set(figure, new uPlot({
      width, height: 230 + lane * lanes, series, padding: [8 + lane * lanes, 16, 0, 0],
      scales: { x: { time: false, range: (_, low, high) => [low, high] }, y: { distr: data.log ? 3 : 1 } },
      axes: [axis(data.x, 30), { ...axis(data.y, 52), values: (_, splits) => splits.map(text), ...(data.log && { splits: decades }) }],
      cursor: { points: { size: 5 } }, hooks: { draw: [marksOf(data)] },
    }, uPlot.join(tables), figure));
    const canvas = figure.querySelector('canvas');
    canvas.setAttribute('role', 'img');
    canvas.setAttribute('aria-label', figure.querySelector('svg').getAttribute('aria-label'));
  }

  const redraw = () => figures.filter((figure) => figure.offsetParent !== null).forEach(draw);
  redraw();
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', redraw);
  let waiting = 0;
  addEventListener('resize', () => {
    cancelAnimationFrame(waiting);
    waiting = requestAnimationFrame(redraw);
  });
  document.addEventListener('toggle', redraw, true);
})();
`;

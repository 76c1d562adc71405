import { trustedMarkup } from './markup.ts';

// The hues are those of Okabe and Ito, told apart with any kind of colour vision; darkened or lightened per theme.
const light = `color-scheme:light;--paper:#fff;--surface:#f6f6f3;--ink:#1e2329;--muted:#646c75;--line:#e2e2dd;
--c0:#0072b2;--c1:#b54e00;--c2:#00805c;--c3:#a8487f;--c4:#2c8fc9;--c5:#8f6b00`;
const dark = `color-scheme:dark;--paper:#15181c;--surface:#1d2126;--ink:#e5e8eb;--muted:#99a2ab;--line:#2e343b;
--c0:#5cadea;--c1:#f0924f;--c2:#45c79e;--c3:#e08fbd;--c4:#8fd0f5;--c5:#dcb84c`;

export const style = trustedMarkup(`
:root{${light}}
@media (prefers-color-scheme:dark){:root{${dark}}}
*{box-sizing:border-box}
html{font:16px/1.55 system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',sans-serif;background:var(--paper);color:var(--ink);
font-variant-numeric:tabular-nums;-webkit-text-size-adjust:100%}
body{max-width:1120px;margin:0 auto;padding:48px 32px 96px}
h1{font-size:1.75rem;line-height:1.2;font-weight:650;margin:0 0 6px;overflow-wrap:anywhere;letter-spacing:-.01em}
h2{font-size:1.2rem;font-weight:650;margin:0 0 4px}
h3{font-size:.95rem;font-weight:650;margin:32px 0 8px;overflow-wrap:anywhere}
section{margin-top:56px;padding-top:24px;border-top:1px solid var(--line)}
p{margin:0 0 12px;max-width:72ch}
.muted,.lead,figcaption,caption{color:var(--muted)}
.lead{font-size:.9rem;margin-bottom:20px}
.byline{color:var(--muted);font-size:.875rem;display:flex;flex-wrap:wrap;gap:2px 20px;max-width:none}
nav{display:flex;flex-wrap:wrap;gap:4px 20px;margin-top:24px;font-size:.875rem}
a{color:var(--c0);text-decoration:none}a:hover,p a{text-decoration:underline}
code,.mono{font-family:ui-monospace,'SF Mono',Menlo,Consolas,'DejaVu Sans Mono',monospace;font-size:.86em;overflow-wrap:anywhere}
.verdict{margin-top:32px;padding:22px 26px;border-radius:10px;background:var(--surface);border-left:5px solid var(--tone)}
.verdict p{font-size:1.1rem;line-height:1.5;margin:0;max-width:none;overflow-wrap:anywhere}
.verdict .diagnosis{font-size:.95rem;margin-top:10px;color:var(--muted)}
.verdict .next{font-size:.95rem;margin-top:10px}
.verdict strong{color:var(--tone);margin-right:.5em}.verdict .next strong{color:inherit}
.good{--tone:var(--c2)}.bad{--tone:var(--c1)}.plain{--tone:var(--muted)}
.mark-good,.mark-bad{font-weight:600;white-space:nowrap}.mark-good{color:var(--c2)}.mark-bad{color:var(--c1)}
.trained,.of{margin-top:20px;max-width:96ch;overflow-wrap:anywhere}.of{color:var(--muted);font-size:.9rem;margin-bottom:0}
.facts{display:grid;grid-template-columns:repeat(auto-fit,minmax(220px,1fr));gap:22px 28px;margin:24px 0 8px}
.facts dt{color:var(--muted);font-size:.8rem}.facts dd{margin:0;overflow-wrap:anywhere;font-size:1.6rem;font-weight:600;line-height:1.25;letter-spacing:-.01em}
.facts small{display:block;font-size:.8rem;font-weight:400;color:var(--muted);letter-spacing:0}
.lints{margin:24px 0 0;padding:0;list-style:none;font-size:.9rem}
.lints>li{padding:8px 0 8px 26px;position:relative;max-width:96ch;overflow-wrap:anywhere}
.lints>li::before{content:'!';position:absolute;left:2px;top:12px;width:16px;height:16px;border-radius:50%;background:var(--c1);color:var(--paper);
font-size:11px;font-weight:700;line-height:16px;text-align:center}
.lints>li.note::before{content:'i';background:var(--muted)}
.lints .code{display:block;color:var(--muted);font-size:.8rem}.lints .remedy{color:var(--muted)}
.lints details{margin:2px 0 0}.lints summary{font-size:.8rem}.lints details ul{margin:4px 0 0;padding-left:18px}
.scroll{overflow-x:auto;max-width:100%;margin:12px 0 20px}
table{border-collapse:collapse;font-size:.875rem;line-height:1.4}
table.full{width:100%}table.narrow{width:560px;max-width:100%}
th,td{padding:7px 14px 7px 0;text-align:left;vertical-align:baseline;border-bottom:1px solid var(--line)}
th:last-child,td:last-child{padding-right:0}
.sortable thead th{white-space:normal}.sortable small .bar{margin:0}
thead th{font-weight:500;color:var(--muted);font-size:.8rem;vertical-align:bottom;border-bottom-color:color-mix(in srgb,var(--line),var(--ink) 18%)}
tbody th{font-weight:500}
.n{text-align:right;white-space:nowrap}
td.n+td:not(.n),th.n+th:not(.n),th.n+td:not(.n){padding-left:20px}
td small,th small{display:block;color:var(--muted);font-weight:400;font-size:.78rem}
th button{all:unset;cursor:pointer}th button:focus-visible{outline:2px solid var(--c0);outline-offset:2px}
th[aria-sort=ascending] button::after{content:' \\2191'}th[aria-sort=descending] button::after{content:' \\2193'}
.confusion td,.confusion thead th{text-align:center;padding:5px 6px;min-width:40px;border:1px solid var(--paper)}
.confusion thead th,.confusion tbody th{border-color:transparent}
.confusion tbody th{padding:5px 10px 5px 0;text-align:right;white-space:nowrap}
.confusion td.zero{color:transparent}
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,440px),1fr));gap:28px 40px;margin-top:8px}
figure{margin:0;min-width:0}figcaption{font-size:.85rem;display:flex;flex-wrap:wrap;justify-content:space-between;gap:0 16px;color:var(--ink);font-weight:500}
.legend{display:flex;flex-wrap:wrap;gap:0 14px;color:var(--muted);font-weight:400}
.key::before{content:'';display:inline-block;width:16px;border-top:2px solid var(--c);vertical-align:middle;margin-right:6px}
.key.faint::before{opacity:.5}
.key.dotted::before{width:7px;height:7px;border:0;border-radius:50%;background:var(--c)}
svg{display:block;max-width:100%;font-family:inherit}.chart svg{width:100%;height:auto}
svg text{fill:var(--muted);font-size:11.5px}svg .grid{stroke:var(--line)}svg .axis{stroke:var(--muted);opacity:.6}
svg line.mark{stroke:var(--ink);stroke-dasharray:3 3;opacity:.65}svg text.mark{fill:var(--ink);font-size:11px}
.curve{fill:none;stroke:var(--c);stroke-width:1.8;stroke-linejoin:round;vector-effect:non-scaling-stroke}
.curve.faint{stroke-width:1.2;opacity:.5}.dot{fill:var(--c)}
.spark{display:inline-block;vertical-align:middle;width:180px;height:30px}.spark .band{fill:var(--c1);opacity:.16}.spark .curve{stroke-width:1.2}
.c0{--c:var(--c0)}.c1{--c:var(--c1)}.c2{--c:var(--c2)}.c3{--c:var(--c3)}.c4{--c:var(--c4)}.c5{--c:var(--c5)}
.bar{display:inline-block;width:64px;height:7px;border-radius:2px;background:var(--surface);vertical-align:middle;margin-left:8px}
.bar .fill{display:block;height:100%;border-radius:2px;background:var(--c)}
.stack{display:flex;height:14px;border-radius:3px;overflow:hidden;gap:2px;max-width:720px;margin:12px 0}.stack span{background:var(--c);min-width:2px}
.flow .edge{fill:none;stroke:var(--muted);opacity:.55}.flow rect{fill:var(--surface);stroke:var(--line)}
.flow .run rect{stroke:var(--c0);stroke-width:1.5}.flow .failed rect{stroke:var(--c1);stroke-width:2}.flow .waiting rect{stroke-dasharray:4 3}
.flow .name{fill:var(--ink);font-size:13px;font-weight:600}
.better{color:var(--c2)}.worse{color:color-mix(in srgb,var(--c1),var(--ink) 25%)}
details.cell{border-top:1px solid var(--line);padding-top:10px}.cell h3.part{margin-top:36px}
details{margin:12px 0}summary{cursor:pointer;color:var(--c0);font-size:.9rem}
pre{background:var(--surface);padding:16px 18px;border-radius:8px;overflow-x:auto;font-size:.8rem;line-height:1.5;white-space:pre-wrap;overflow-wrap:anywhere}
@media (max-width:640px){body{padding:28px 18px 64px}section{margin-top:40px}.verdict{padding:16px 18px}.facts{grid-template-columns:1fr 1fr}svg text{font-size:14px}svg text.mark{font-size:13px}.flow .name{font-size:13px}.flow .note{font-size:11.5px}}
@media print{:root{${light}}html{font-size:12px}body{padding:0;max-width:none}nav{display:none}section{margin-top:24px;padding-top:12px}
@page{margin:14mm}.charts{grid-template-columns:1fr 1fr;gap:16px 24px}svg text,svg text.mark{font-size:12px}table{font-size:10px}th,td{padding:4px 8px 4px 0}
.sortable .bar{display:none}td.n+td:not(.n),th.n+th:not(.n),th.n+td:not(.n){padding-left:10px}.flow{height:auto}
figure,tr,.facts{break-inside:avoid}h2,h3{break-after:avoid}.scroll{overflow:visible}*{print-color-adjust:exact;-webkit-print-color-adjust:exact}}
`);

/** Click on a column head to sort; without scripts the tables stand in their own order. */
export const script = trustedMarkup(`
const areas = document.querySelectorAll('.scroll[tabindex]');
const passOver = () => areas.forEach((area) => { area.tabIndex = area.scrollWidth > area.clientWidth ? 0 : -1; });
passOver();
addEventListener('resize', passOver);
document.addEventListener('toggle', passOver, true);
for (const table of document.querySelectorAll('table.sortable')) {
  // A row that opens is a body of its own, together with what it opens to.
  const folds = table.classList.contains('folding');
  const home = folds ? table : table.tBodies[0];
  const groups = () => [...(folds ? table.tBodies : home.rows)];
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    const button = document.createElement('button');
    button.append(...head.childNodes);
    head.append(button);
    const valueOf = (group) => {
      const cell = (folds ? group.rows[0] : group).cells[column];
      return cell.dataset.value ?? cell.textContent;
    };
    button.addEventListener('click', () => {
      const direction = head.getAttribute('aria-sort') === 'ascending' ? -1 : 1;
      for (const other of head.parentNode.cells) other.removeAttribute('aria-sort');
      head.setAttribute('aria-sort', direction === 1 ? 'ascending' : 'descending');
      home.append(...groups().sort((a, b) => {
        const [x, y] = [valueOf(a), valueOf(b)];
        if (x === '' || y === '') return (x === '') - (y === '');
        return direction * (isNaN(x) || isNaN(y) ? x.localeCompare(y) : x - y);
      }));
    });
  });
}
`);

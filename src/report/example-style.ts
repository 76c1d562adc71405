import { trustedMarkup } from './markup.ts';

/** Of examples and classes. */
export const exampleStyle = trustedMarkup(`
h3 .muted{font-weight:400;font-size:.85rem;margin-left:.4em}
.cards{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,240px),1fr));gap:16px;margin:0 0 28px}
.card{border:1px solid var(--line);border-radius:8px;padding:12px 14px;min-width:0;break-inside:avoid;font-size:.82rem;line-height:1.4}
.card header{font-weight:600;margin-bottom:8px;overflow-wrap:anywhere}.card header .muted{font-weight:400}
.card table{width:100%;font-size:inherit;table-layout:fixed}
.card th,.card td{padding:2px 6px 2px 0;border:0;overflow-wrap:anywhere;font-weight:400}
.card .answers{table-layout:auto}.card .answers th:first-child{color:var(--muted);white-space:nowrap}.card .answers td:nth-child(2){width:99%}.card td.n,.card th.n{padding-right:0;padding-left:6px;white-space:nowrap}
.card .truth td{font-weight:600}.card .is-right{color:color-mix(in srgb,var(--c2),var(--ink) 20%)}.card .is-wrong{color:color-mix(in srgb,var(--c1),var(--ink) 30%);font-weight:600}
.card .values th:first-child{width:34%}
.card details{margin:6px 0 0}.card summary{font-size:.8rem}.card .scroll{margin:6px 0 0}
.card figcaption{font-size:.78rem;font-weight:400;margin:2px 0 0}
.card small{display:block;color:var(--muted);font-size:.75rem;line-height:1.35;overflow-wrap:anywhere}
.views{display:flex;flex-wrap:wrap;gap:8px;margin-bottom:8px}.views figure{margin:0;min-width:0;max-width:100%}
.views figure:has(.heat,.series,.features){width:100%}
.pixels{display:block;image-rendering:pixelated;max-width:100%;height:auto;border-radius:3px;background:var(--surface)}
.heat img{display:block;width:100%;height:96px;image-rendering:pixelated;border-radius:3px}
.wave{display:block;width:100%;height:34px;margin-bottom:3px}.wave path{stroke:var(--c0);stroke-width:1;fill:none;vector-effect:non-scaling-stroke}
.series>div{display:grid;grid-template-columns:1fr auto;gap:0 8px;font-size:.75rem;line-height:1.3;margin-bottom:5px}
.series .name{overflow-wrap:anywhere;min-width:0}.series .range{color:var(--muted);white-space:nowrap}
.series svg{grid-column:1/-1;display:block;width:100%;height:28px}.series svg path{vector-effect:non-scaling-stroke;stroke-width:1.4;fill:none}
.features caption{text-align:left;font-size:.75rem;line-height:1.3;padding-bottom:4px}
.features th{width:42%}.features td.n{width:24%}
.deviation{position:relative;display:block;height:8px;background:linear-gradient(var(--line),var(--line)) 50% 0/1px 100% no-repeat}
.deviation span{position:absolute;top:1px;height:6px;background:var(--c0)}
.bars{display:block}.bars span{display:block;height:3px;max-width:100%;margin-top:1px}.bars .before{background:color-mix(in srgb,var(--c0),var(--paper) 55%)}.bars .after{background:var(--c0)}
.mask-legend{overflow-wrap:anywhere;display:flex;flex-wrap:wrap;gap:4px 16px;font-size:.8rem}.mask-legend i{display:inline-block;width:12px;height:12px;margin-right:5px;border:1px solid var(--line);vertical-align:-1px}
.hidden{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
.toggle>label{display:inline-block;padding:4px 12px;border:1px solid var(--line);font-size:.82rem;cursor:pointer}
.toggle>label:first-of-type{border-radius:6px 0 0 6px}.toggle>label:last-of-type{border-radius:0 6px 6px 0;border-left:0}
.toggle>input{position:absolute;opacity:0;width:1px;height:1px}.toggle>input:checked+label{background:var(--c0);border-color:var(--c0);color:var(--paper)}
.toggle>input:focus-visible+label{outline:2px solid var(--c0);outline-offset:2px}
.toggle>.pane{display:none;margin-top:14px}.toggle>input:nth-of-type(1):checked~.pane:nth-of-type(1),.toggle>input:nth-of-type(2):checked~.pane:nth-of-type(2){display:block}
.shares{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,400px),1fr));gap:0 40px}
.dumbbells{width:100%;table-layout:fixed;font-size:.82rem}.dumbbells th,.dumbbells td{padding:4px 10px 4px 0;overflow-wrap:anywhere}
.dumbbells th:nth-child(1){width:27%}.dumbbells th:nth-child(3){width:21%}.dumbbells th:nth-child(4){width:22%}.dumbbells td.n{overflow-wrap:normal}
.axis{font-size:.72rem!important}.axis span:last-child{float:right}
.track{position:relative;display:block;height:12px;margin:0 6px;background:linear-gradient(var(--line),var(--line)) 0 50%/100% 1px no-repeat}
.track>span{position:absolute;top:50%}.track .span{height:2px;margin-top:-1px}
.track .ring,.track .dot{width:9px;height:9px;margin:-4.5px 0 0 -4.5px;border-radius:50%}.track .ring{border:1.5px solid var(--muted);background:var(--paper)}
.worse .span,.worse .dot{background:var(--c1)}.better .span,.better .dot{background:var(--c0)}
.confusion td.right{background:color-mix(in srgb,var(--c0) calc(var(--v)*45%),var(--surface))}
.confusion td.wrong{background:color-mix(in srgb,var(--c1) calc(var(--v)*45%),var(--surface))}
.confusion thead th,.confusion tbody th{overflow-wrap:anywhere;white-space:normal;min-width:44px;max-width:110px}.confusion tbody th{min-width:64px;max-width:180px}
@media print{.confusion td,.confusion thead th{min-width:0!important;padding:2px}.confusion tbody th{min-width:0!important}.toggle>.pane{display:block}.toggle>input,.toggle>label{display:none}.cards{grid-template-columns:repeat(3,1fr)}}
`);

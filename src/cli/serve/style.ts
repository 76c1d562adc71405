import { trustedMarkup } from '../../report/markup.ts';

/** What the list of runs and the page of one that goes on need beside the style of all pages. */
export const style = trustedMarkup(`<style>
.bar-form{display:flex;flex-wrap:wrap;gap:12px 20px;align-items:end;margin:24px 0 8px}
.bar-form label{display:grid;gap:2px;font-size:.8rem;color:var(--muted)}
.bar-form input,.bar-form select,.bar-form button{font:inherit;font-size:.9rem;color:var(--ink);background:var(--surface);border:1px solid var(--muted);border-radius:6px;padding:5px 10px}
.bar-form button{cursor:pointer}.bar-form .strong{background:var(--c0);border-color:var(--c0);color:var(--paper);font-weight:600}
.bar-form button:focus-visible,.bar-form input:focus-visible,.bar-form select:focus-visible,.runs input:focus-visible{outline:2px solid var(--c0);outline-offset:2px}
.runs thead button{all:unset;cursor:pointer}.runs thead button:focus-visible{outline:2px solid var(--c0);outline-offset:2px}
.runs [aria-sort=ascending] button::after{content:' \\2191'}.runs [aria-sort=descending] button::after{content:' \\2193'}
.runs input{width:18px;height:18px;margin:0;vertical-align:middle}
.runs label{display:block;padding:3px 6px 3px 0}
.status-pass{color:color-mix(in srgb,var(--c2),var(--ink) 25%)}.status-fail,.status-error{color:color-mix(in srgb,var(--c1),var(--ink) 25%)}.status-running{color:var(--c0);font-weight:600}.status-interrupted{color:var(--muted)}
</style>`);

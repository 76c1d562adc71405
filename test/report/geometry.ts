/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
/// <reference lib="dom.asynciterable" />
/**
 * Runs inside the page, so it may use nothing from outside itself. Measures what a reader would see as broken:
 *
 * - `overflow`: the page is wider than the window
 * - `outside`: a box reaches over the sides of the box that contains it (areas that scroll are left out)
 * - `cut`: text that its box hides, or text of a drawing beyond the drawing
 * - `overlap`: two texts of one drawing lie on each other
 * - `crossed`: a line of a drawing runs through one of its texts; lines of `.grid` may, and
 *   those of `.behind`, which the boxes of the texts hide
 *
 * All with a pixel to spare. What is folded away is not seen.
 */
export function geometryProblems(): string[] {
  const SPARE = 1;
  const problems: string[] = [];
  const root = document.documentElement;
  if (root.scrollWidth > root.clientWidth + SPARE) {
    problems.push(`overflow: the page is ${root.scrollWidth} px wide in a window of ${root.clientWidth} px`);
  }
  const named = (element: Element): string => {
    const type = element.getAttribute('class') ?? '';
    const text = element.textContent.trim().replace(/\s+/g, ' ').slice(0, 50);
    return `<${element.tagName.toLowerCase()}${type === '' ? '' : ` class="${type}"`}> "${text}" in ${
      element.closest('section')?.id ?? element.parentElement?.className ?? ''
    }`;
  };
  const seen = (element: Element): boolean =>
    element.getClientRects().length > 0 && getComputedStyle(element).visibility !== 'hidden';
  /** For screen readers alone. */
  const unseen = (style: CSSStyleDeclaration): boolean => style.clipPath !== 'none';

  const boxes = (): void => {
    for (const element of document.body.querySelectorAll('*')) {
      const parent = element.parentElement;
      if (parent === null || element.closest('svg') !== null || !seen(element)) continue;
      const style = getComputedStyle(element);
      if (unseen(style) || style.position === 'absolute' || style.position === 'fixed') continue;
      if (/hidden|clip/.test(style.overflowX) && element.scrollWidth > element.clientWidth + SPARE) {
        problems.push(`cut: ${named(element)} has ${element.scrollWidth} px in ${element.clientWidth}`);
      }
      const outer = getComputedStyle(parent);
      if (/auto|scroll/.test(outer.overflowX) || outer.display === 'contents') continue;
      const inside = element.getBoundingClientRect();
      const around = parent.getBoundingClientRect();
      if (inside.right > around.right + SPARE || inside.left < around.left - SPARE) {
        const over = Math.max(inside.right - around.right, around.left - inside.left).toFixed(0);
        problems.push(`outside: ${named(element)} by ${over} px of ${named(parent)}`);
      }
    }
  };

  interface Box {
    readonly element: Element;
    readonly left: number;
    readonly right: number;
    readonly top: number;
    readonly bottom: number;
  }
  /** Letters fill about the middle two thirds of a line's height. */
  const letters = (element: Element): Box => {
    const { left, right, top, bottom, height } = element.getBoundingClientRect();
    return { element, left: left + 1, right: right - 1, top: top + height / 5, bottom: bottom - height / 5 };
  };
  const within = (box: Box, x: number, y: number): boolean =>
    x > box.left && x < box.right && y > box.top && y < box.bottom;

  /** Points along the stroke, a pixel apart. */
  const strokePoints = (shape: SVGGeometryElement): DOMPoint[] => {
    const place = shape.getScreenCTM();
    const style = getComputedStyle(shape);
    if (place === null || style.stroke === 'none' || Number.parseFloat(style.strokeWidth) === 0) return [];
    const length = shape.getTotalLength();
    const scale = Math.hypot(place.a, place.b);
    const count = Math.min(4000, Math.ceil(length * scale) + 1);
    return Array.from({ length: count }, (_, index) =>
      shape.getPointAtLength((length * index) / Math.max(1, count - 1)).matrixTransform(place),
    );
  };

  const drawing = (svg: SVGSVGElement): void => {
    const frame = svg.getBoundingClientRect();
    const texts = [...svg.querySelectorAll('text')].filter(seen).map(letters);
    for (const box of texts) {
      const { left, right, top, bottom } = box;
      const over = Math.max(frame.left - left, right - frame.right, frame.top - top, bottom - frame.bottom);
      if (over > SPARE) problems.push(`cut: ${named(box.element)} by ${over.toFixed(0)} px of its drawing`);
    }
    texts.forEach((box, index) => {
      for (const other of texts.slice(index + 1)) {
        const wide = Math.min(box.right, other.right) - Math.max(box.left, other.left);
        const high = Math.min(box.bottom, other.bottom) - Math.max(box.top, other.top);
        if (wide > SPARE && high > SPARE) problems.push(`overlap: ${named(box.element)} and ${named(other.element)}`);
      }
    });
    if (texts.length === 0) return;
    for (const shape of svg.querySelectorAll<SVGGeometryElement>('path, line, polyline')) {
      if (shape.closest('.grid, .behind, defs, clipPath') !== null || !seen(shape)) continue;
      // A look at the whole shape first: to walk along a stroke takes long.
      const around = shape.getBoundingClientRect();
      const near = texts.filter(
        ({ left, right, top, bottom }) =>
          around.left < right && around.right > left && around.top < bottom && around.bottom > top,
      );
      const points = near.length === 0 ? [] : strokePoints(shape);
      const crossed = near.find((box) => points.some(({ x, y }) => within(box, x, y)));
      if (crossed !== undefined) problems.push(`crossed: ${named(crossed.element)} by ${named(shape)}`);
    }
  };

  boxes();
  for (const svg of document.querySelectorAll('svg')) if (seen(svg)) drawing(svg);
  return problems;
}

// What of a source file can change a number. Everything else is taken out before the code is digested, so that a
// reworded message or a description of a field does not train again. Each rule says why it is safe.
import ts from 'typescript';

/** Calls whose arguments end up in the words of an error, from this argument on. A stage that fails leaves no result. */
const errorWords = { internal: 0, userError: 0, present: 1 };

/** Where an error is caught and its words are kept as a result: what LiteRT says when it does not run. */
const keepsErrorWords = /\/interpreter\/litert\.ts$/;

/** What makes the rows of a table of which code reads some fields. */
const rowMakers = new Set(['defineOp', 'defineTask']);

/** What a stage tells while it runs (`StageProgress`); `emit` returns nothing, and no result is made of it. */
const toldKinds = new Set(['log', 'progress']);

/** How errors are printed is no part of a result either. */
const bareDiagnostics = `
export class UserError extends Error {
  constructor(diagnostics) { super(); this.diagnostics = diagnostics; }
}
export const userError = (_file, _code, message) => new UserError([{ message }]);
export const formatDiagnostic = String;
export const formatWarning = String;
`;

/**
 * The source without what cannot change a result.
 *
 * @param {string} file name, for messages
 * @param {string} text TypeScript or JavaScript
 * @returns that source, given whether the code reads a field of an op's row
 */
export function numericSource(file, text) {
  if (file.endsWith('/core/diagnostic.ts')) return () => bareDiagnostics;
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.ES2023, true);
  const hasRows = [...rowMakers].some((name) => text.includes(name));
  const whole = apply(
    text,
    editsOf(file, source, () => true),
  );
  return (isRead) => (hasRows ? apply(text, editsOf(file, source, isRead)) : whole);
}

function editsOf(file, source, isRead) {
  /** @type {{ start: number, end: number, text: string }[]} */
  const edits = [];
  const replace = (start, end, replacement) => edits.push({ start, end, text: replacement });

  function visit(node) {
    if (isTold(node)) return replace(node.getStart(), node.end, ';');
    if (ts.isThrowStatement(node) && ts.isNewExpression(node.expression) && !keepsErrorWords.test(file)) {
      return dropArguments(node.expression, 0);
    }
    if (ts.isCallExpression(node)) {
      const name = ts.isIdentifier(node.expression) ? node.expression.text : '';
      // A stage's key holds its settings by value and its files by content: of its definition, only `run` computes.
      if (name === 'defineStage') return keepFields(node, (field) => field === 'run');
      // A field of a row that no code of the bundle reads is not computed with: file bindings and gates do not train.
      if (rowMakers.has(name)) return keepFields(node, isRead);
      const words = Object.hasOwn(errorWords, name) && !keepsErrorWords.test(file) ? errorWords[name] : null;
      if (words !== null) {
        node.arguments.slice(0, words).forEach(visit);
        return dropArguments(node, words);
      }
    }
    ts.forEachChild(node, visit);
  }

  function dropArguments(call, from) {
    const { arguments: values } = call;
    if (values === undefined || values.length <= from) return;
    replace(from === 0 ? values.pos : values[from - 1].end, values.end, '');
  }

  function keepFields(call, isKept) {
    const [definition] = call.arguments;
    if (definition === undefined || !ts.isObjectLiteralExpression(definition)) return ts.forEachChild(call, visit);
    definition.properties.forEach((field, index, fields) => {
      const isNamed = field.name !== undefined && ts.isIdentifier(field.name);
      if (!isNamed || isKept(field.name.text)) return ts.forEachChild(field, visit);
      replace(field.getStart(), fields[index + 1]?.getStart() ?? fields.end, '');
    });
  }

  for (const statement of source.statements) {
    if (ts.isVariableStatement(statement)) {
      // Modules have no effect when they are loaded, so that a constant that nothing reads is no part of the bundle.
      for (const { initializer } of statement.declarationList.declarations) {
        if (initializer === undefined) continue;
        replace(initializer.getStart(), initializer.getStart(), '/* @__PURE__ */ (() => (');
        replace(initializer.end, initializer.end, '))()');
      }
    }
    visit(statement);
  }
  return edits;
}

function isTold(node) {
  if (!ts.isExpressionStatement(node) || !ts.isCallExpression(node.expression)) return false;
  const { expression: callee, arguments: values } = node.expression;
  const name = ts.isPropertyAccessExpression(callee) ? callee.name.text : ts.isIdentifier(callee) ? callee.text : '';
  if (name !== 'emit' || values.length !== 1 || !ts.isObjectLiteralExpression(values[0])) return false;
  return values[0].properties.some(
    (field) =>
      ts.isPropertyAssignment(field) &&
      field.name.getText() === 'kind' &&
      ts.isStringLiteral(field.initializer) &&
      toldKinds.has(field.initializer.text),
  );
}

function apply(text, edits) {
  // Insertions at one place keep their order; of nested edits only the outer one is ever made.
  const ordered = edits
    .map((edit, index) => ({ ...edit, index }))
    .sort((a, b) => b.start - a.start || b.index - a.index);
  return ordered.reduce((result, edit) => result.slice(0, edit.start) + edit.text + result.slice(edit.end), text);
}

/** Names of fields that code reads, of whatever object: `x.name`, `x?.name`, `x['name']`, `{ name } = x`. */
export function fieldsRead(code) {
  const names = new Set();
  const source = ts.createSourceFile('bundle.js', code, ts.ScriptTarget.ES2023, false, ts.ScriptKind.JS);
  function visit(node) {
    if (ts.isPropertyAccessExpression(node)) names.add(node.name.text);
    else if (ts.isElementAccessExpression(node) && ts.isStringLiteral(node.argumentExpression)) {
      names.add(node.argumentExpression.text);
    } else if (ts.isBindingElement(node)) {
      const name = node.propertyName ?? node.name;
      if (ts.isIdentifier(name) || ts.isStringLiteral(name)) names.add(name.text);
    }
    ts.forEachChild(node, visit);
  }
  visit(source);
  return names;
}

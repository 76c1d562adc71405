/** The part of the WebAssembly API that we use; the browser's type library would bring all of the DOM. */
declare namespace WebAssembly {
  interface Module {
    readonly __module: never;
  }
  interface Memory {
    readonly buffer: SharedArrayBuffer;
  }
  interface Instance {
    readonly exports: Readonly<Record<string, unknown>>;
  }
  interface Imports {
    readonly env: { readonly memory: Memory } | Functions;
    readonly wasi_snapshot_preview1?: Functions;
  }
  type Functions = Readonly<Record<string, () => number>>;
  const Memory: new (descriptor: { initial: number; maximum: number; shared: true }) => Memory;
  const Module: new (bytes: Uint8Array) => Module;
  const Instance: new (module: Module, imports: Imports) => Instance;
  const RuntimeError: new (message?: string) => Error;
  function compile(bytes: Uint8Array): Promise<Module>;
}

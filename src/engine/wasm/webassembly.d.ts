/** The part of the WebAssembly API that the engine uses; the browser's type library would bring all of the DOM. */
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
  const Memory: new (descriptor: { initial: number; maximum: number; shared: true }) => Memory;
  const Instance: new (module: Module, imports: { readonly env: { readonly memory: Memory } }) => Instance;
  function compile(bytes: Uint8Array): Promise<Module>;
}

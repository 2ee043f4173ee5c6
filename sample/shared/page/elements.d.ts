// For the pages whose scripts are TypeScript.
export function find(id: string): HTMLElement;
export function fromTemplate(id: string): HTMLElement;

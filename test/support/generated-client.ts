import { join } from 'node:path';
import type { OpenAPIObject } from '@nestjs/swagger';
import openapiTypes, { astToString } from 'openapi-typescript';
import ts from 'typescript';

/**
 * What the compiler says of a client that imports `./generated-api.js`, the types that
 * `openapi-typescript` makes of the document.
 */
export async function compileClient(document: OpenAPIObject, client: string): Promise<string[]> {
  const types = astToString(await openapiTypes(JSON.stringify(document)));
  const folder = import.meta.dirname;
  const files = new Map([
    [join(folder, 'generated-api.ts'), types],
    [join(folder, 'generated-client.ts'), client],
  ]);
  const root = join(folder, '../..');
  const { config } = ts.readConfigFile(join(root, 'tsconfig.json'), (path) =>
    ts.sys.readFile(path),
  );
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, root);
  const host = ts.createCompilerHost(options);
  const readFile = (path: string) => files.get(path) ?? ts.sys.readFile(path);
  const program = ts.createProgram(
    [...files.keys()],
    { ...options, noEmit: true },
    {
      ...host,
      readFile,
      fileExists: (path) => files.has(path) || ts.sys.fileExists(path),
      getSourceFile: (path, languageOrOptions) => {
        const text = readFile(path);
        return text === undefined ? undefined : ts.createSourceFile(path, text, languageOrOptions);
      },
    },
  );
  return ts
    .getPreEmitDiagnostics(program)
    .map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'));
}

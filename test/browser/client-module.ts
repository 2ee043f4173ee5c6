import { Controller, Get, Header, Param } from '@nestjs/common';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';

const lib = join(import.meta.dirname, '../../lib');

/**
 * The client's own files for a page, which imports `/lib/client/index.js`: without their types,
 * else as they are.
 */
@Controller('lib')
export class ClientFiles {
  /** The client, and what it shares with the server. */
  @Get(':folder/:file') @Header('content-type', 'text/javascript') script(
    @Param('folder') folder: string,
    @Param('file') file: string,
  ): string {
    return scriptOf(`${folder}/${file}`);
  }
}

function scriptOf(file: string): string {
  const source = readFileSync(join(lib, file.replace(/\.js$/, '.ts')), 'utf8');
  const compilerOptions = {
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.ESNext,
    verbatimModuleSyntax: true,
  };
  return ts.transpileModule(source, { compilerOptions }).outputText;
}

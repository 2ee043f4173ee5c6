import { Controller, Get, Header, Param } from '@nestjs/common';
import { FilesService } from './files.service.js';

/** The source of the samples and the guide, for whoever wants to see how a page is made. */
@Controller('files')
export class FilesController {
  constructor(private readonly files: FilesService) {}

  @Get('*path')
  @Header('Content-Type', 'text/html; charset=utf-8')
  // Shiki colours words with styles of their own.
  @Header(
    'Content-Security-Policy',
    "default-src 'none'; style-src 'self' 'unsafe-inline'; img-src 'self'; base-uri 'none'",
  )
  show(@Param('path') path: string | string[]): Promise<string> {
    return this.files.page([path].flat().join('/'));
  }
}
